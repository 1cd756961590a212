"""Reads what the API shows off the engine, in pieces that never hold up its jobs.

A list that may be long is copied with the lock held, which takes microseconds for thousands, and
then looked at piece by piece. So what one answer shows is not quite of one moment.
"""

import contextlib
import heapq
import itertools
import math
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gear_server.engine.counters import Counters
from gear_server.engine.engine import Engine
from gear_server.engine.queues import BY_PRECEDENCE
from gear_server.engine.state import Function, Peer, ServerJob
from gear_server.http.history import History
from gear_server.http.pieces import Pieces
from gear_server.http.rows import (
    Assignment,
    ConnectionPage,
    ConnectionRow,
    Connections,
    FunctionPage,
    FunctionRow,
    JobPage,
    JobRow,
    Kind,
    LimitRow,
    Memory,
    PrecedenceName,
    QueueLimits,
    QueueRow,
    Server,
    State,
    WorkerPage,
    WorkerRef,
    WorkerRow,
)  # fmt: skip
from gear_server.network.peer import StreamPeer
from gear_server.network.resident import resident
from gear_server.network.server import AsyncServer
from gear_server.queue.url import MEMORY, is_shared
from gear_wire.enums import Magic, PacketType, Precedence
from gear_wire.table import frame_key

RUN: Final = 256
"""Functions that are sorted at once."""
FIRST: Final = 20
"""Functions and jobs of a worker that its row names."""

_PRECEDENCES: Final[dict[Precedence, PrecedenceName]] = {
    Precedence.HIGH: "high", Precedence.NORMAL: "normal", Precedence.LOW: "low",
}  # fmt: skip
_ESCAPE: Final = re.compile(rb"\\x([0-9a-f]{2})")
_Item = TypeVar("_Item")
_Rank = tuple[tuple[float, ...], bytes]
_Read = Callable[[int], Awaitable[list[ServerJob]]]


def shown(name: bytes) -> str:
    r"""Return a name as text; bytes that are not UTF-8 are written as ``\xff``."""
    return name.decode(errors="backslashreplace")


def unshown(name: bytes) -> bytes:
    """Return the name that `shown` shows so."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), name)


def find(names: dict[bytes, _Item], name: bytes) -> _Item | None:
    """Return what has a name, which is given as it is or as it is shown."""
    return names.get(name) or names.get(unshown(name))


def _address(peer: Peer) -> str:
    host = f"[{peer.host}]" if ":" in peer.host else peer.host
    return f"{host}:{peer.port}"


def _number(value: bytes) -> float | None:
    """Return a worker's number of a progress; None if it says something else."""
    with contextlib.suppress(ValueError):
        number = float(value)
        return number if math.isfinite(number) else None
    return None


def _mean(total: float, count: int) -> float | None:
    return total / count if count else None


def _kind(peer: Peer) -> Kind:
    if peer.abilities:
        return "both" if peer.submitted else "worker"
    return "client" if peer.submitted else "other"


def _oldest(function: Function, now: float) -> float | None:
    since = function.waiting_since()
    return None if since is None else max(0.0, now - since)


def _queue_limits(function: Function) -> QueueLimits | None:
    limits = function.limits
    return None if limits is None else QueueLimits(*(limits[each] for each in BY_PRECEDENCE))


def _of(function: Function | None, jobs: list[ServerJob]) -> list[ServerJob]:
    return jobs if function is None else [job for job in jobs if job.function is function]


def _packets(engine: Engine) -> dict[str, int]:
    received = engine.packets
    return {
        number.name: sum(received.get(frame_key(magic, number), 0) for magic in Magic)
        for number in PacketType
    }


def _worker_row(peer: Peer) -> WorkerRow:
    now = time.monotonic()
    jobs = itertools.islice(peer.assigned.values(), FIRST)
    return WorkerRow(
        client_id=shown(peer.client_id),
        address=_address(peer),
        subject=peer.subject,
        sleeping=peer.sleeping,
        functions=list(map(shown, itertools.islice(peer.abilities, FIRST))),
        functions_total=len(peer.abilities),
        jobs=[
            Assignment(shown(job.handle), shown(job.name), max(0.0, now - job.started_at))
            for job in jobs
        ],
        jobs_total=len(peer.assigned),
    )


def _connection_row(peer: Peer) -> ConnectionRow:
    return ConnectionRow(
        client_id=shown(peer.client_id),
        address=_address(peer),
        subject=peer.subject,
        kind=_kind(peer),
        functions=len(peer.abilities),
        submitted=len(peer.submitted),
        assigned=len(peer.assigned),
        unsent=peer.undelivered() if isinstance(peer, StreamPeer) else 0,
        closing=peer.closing,
    )


SORT_KEYS: Final[dict[str, Callable[[Function, History, float], tuple[float, ...]]]] = {
    "activity": lambda each, history, now: (each.running + each.queued(), history.rate(each)),
    "name": lambda each, history, now: (),
    "queued": lambda each, history, now: (each.queued(),),
    "scheduled": lambda each, history, now: (each.scheduled,),
    "running": lambda each, history, now: (each.running,),
    "workers": lambda each, history, now: (each.workers,),
    "oldest": lambda each, history, now: (_oldest(each, now) or 0.0,),
    "rate": lambda each, history, now: (history.rate(each),),
    "submitted": lambda each, history, now: (each.submitted,),
    "joined": lambda each, history, now: (each.tally.joined,),
    "ended": lambda each, history, now: (each.tally.ended,),
    "completed": lambda each, history, now: (each.tally.completed,),
    "failed": lambda each, history, now: (each.tally.failed,),
    "exhausted": lambda each, history, now: (each.tally.exhausted,),
    "requeued": lambda each, history, now: (each.tally.requeued,),
    "cancelled": lambda each, history, now: (each.tally.cancelled,),
    "refused": lambda each, history, now: (each.tally.refused,),
    "timed_out": lambda each, history, now: (each.tally.timed_out,),
    "abandoned": lambda each, history, now: (each.tally.abandoned,),
    "waited": lambda each, history, now: (
        _mean(each.tally.waiting_time, sum(each.tally.waited)) or 0.0,
    ),
    "ran": lambda each, history, now: (_mean(each.tally.running_time, sum(each.tally.ran)) or 0.0,),
}
"""By what functions may be sorted; those that are equal are sorted by name."""

REFUSALS: Final = {
    "max_connections": "connections_refused",
    "max_jobs": "over_max_jobs",
    "max_memory": "over_max_memory",
    "max_queue": "over_max_queue",
    "max_functions": "over_max_functions",
    "max_functions_per_worker": "over_max_functions_per_worker",
    "max_registrations": "over_max_registrations",
    "max_send_queue": "consumers_dropped",
}
"""The counters of what limits have refused, by the settings that they are."""


class Snapshot:
    """What there is in a server, as the API shows it.

    Args:
        network: The job server; its loop is running, and calls this.
        history: The samples of the last minutes.
        started: When the server started to serve HTTP, on the monotonic clock.
    """

    def __init__(self, network: AsyncServer, history: History, started: float) -> None:
        self._network = network
        self._engine = network.engine
        self._lock = network.lock
        self._history = history
        self._started = started

    # Functions

    def function_named(self, name: bytes) -> Function | None:
        """Return a function, by its name or the text that shows it; None if there is none."""
        return find(self._engine.queues.functions, name)

    async def functions(self, search: str, sort: str, page: int, size: int) -> FunctionPage:
        """Return a page of functions.

        Args:
            search: What must be in their names, in lower or upper case.
            sort: A key of `SORT_KEYS`, with a dash before it for the largest first.
            page: The number of the page.
            size: How many there are on it.
        """
        with self._lock:
            functions = list(self._engine.queues.functions.values())
        runs, total = await self._sorted(functions, search, sort)
        last = page * size
        reverse = sort == "-name"
        ranked = heapq.merge(*runs, key=lambda item: item[0], reverse=reverse)
        rows: list[FunctionRow] = []
        pieces = Pieces()
        for place, (_, function) in enumerate(itertools.islice(ranked, last)):
            if place >= last - size:
                with self._lock:
                    rows.append(self.function_row(function))
            await pieces.rest()
        return FunctionPage(functions=rows, total=total, page=page, size=size)

    async def _sorted(
        self, functions: list[Function], search: str, sort: str
    ) -> tuple[list[list[tuple[_Rank, Function]]], int]:
        """Return the functions that match, in runs that are sorted each, and their number."""
        number = SORT_KEYS[sort.removeprefix("-")]
        sign = -1 if sort.startswith("-") else 1
        reverse = sort == "-name"
        wanted = search.casefold()
        now = time.monotonic()
        runs: list[list[tuple[_Rank, Function]]] = []
        run: list[tuple[_Rank, Function]] = []
        total = 0
        pieces = Pieces()
        for function in functions:
            await pieces.rest()
            if wanted and wanted not in shown(function.name).casefold():
                continue
            total += 1
            key = tuple([sign * each for each in number(function, self._history, now)])
            run.append(((key, function.name), function))
            if len(run) == RUN:
                run.sort(key=lambda item: item[0], reverse=reverse)
                runs.append(run)
                run = []
        run.sort(key=lambda item: item[0], reverse=reverse)
        return [*runs, run], total

    def function_row(self, function: Function) -> FunctionRow:
        """Return a function's row; called with the lock held."""
        tally = function.tally
        high, normal, low = (function.queues[each].count for each in BY_PRECEDENCE)
        return FunctionRow(
            name=shown(function.name),
            queued=high + normal + low,
            queued_high=high,
            queued_normal=normal,
            queued_low=low,
            scheduled=function.scheduled,
            running=function.running,
            workers=function.workers,
            asleep=function.asleep(),
            oldest=_oldest(function, time.monotonic()),
            submitted=function.submitted,
            joined=tally.joined,
            ended=tally.ended,
            completed=tally.completed,
            failed=tally.failed,
            exhausted=tally.exhausted,
            requeued=tally.requeued,
            cancelled=tally.cancelled,
            refused=tally.refused,
            timed_out=tally.timed_out,
            abandoned=tally.abandoned,
            rate=self._history.rate(function),
            history=self._history.listed(function),
            waited=_mean(tally.waiting_time, sum(tally.waited)),
            ran=_mean(tally.running_time, sum(tally.ran)),
            limits=_queue_limits(function),
            timeout=function.timeout,
        )

    # Jobs

    def job_named(self, handle: bytes) -> ServerJob | None:
        """Return a job, by its handle or the text that shows it; None if there is none."""
        return find(self._engine.jobs, handle)

    async def jobs(
        self, function: Function | None, state: State | None, page: int, size: int
    ) -> JobPage:
        """Return a page of jobs.

        Queues are walked job by job: how far is for the caller to limit.

        Args:
            function: Their function; None for all.
            state: What they do; None for anything.
            page: The number of the page.
            size: How many there are on it.
        """
        last = page * size
        found: list[ServerJob] = []
        total = 0
        for each, (count, read) in self._sources(function).items():
            if state is None or each == state:
                total += count
                if count and len(found) < last:
                    found += await read(last - len(found))
        rows: list[JobRow] = []
        pieces = Pieces()
        for job in found[last - size : last]:
            with self._lock:
                if job.handle in self._engine.jobs:
                    rows.append(self.job_row(job))
            await pieces.rest()
        return JobPage(jobs=rows, total=total, page=page, size=size)

    def _sources(self, function: Function | None) -> dict[State, tuple[int, _Read]]:
        """Return how many jobs there are in each state, and what reads the first of them."""
        engine = self._engine
        if function is None:
            running, scheduled = engine.running, len(engine.epochs.jobs)
            queued = engine.queues.waiting + engine.queues.aside.count
        else:
            running, scheduled = function.running, function.scheduled
            queued = function.queued() + function.aside
        return {
            "running": (running, lambda most: self._running(function, most)),
            "queued": (queued, lambda most: self._queued(function, most)),
            "scheduled": (scheduled, lambda most: self._scheduled(function, most)),
        }

    async def _running(self, function: Function | None, most: int) -> list[ServerJob]:
        with self._lock:
            peers = list(self._engine.peers)
        found: list[ServerJob] = []
        pieces = Pieces()
        for peer in peers:
            found += _of(function, list(peer.assigned.values()))
            if len(found) >= most:
                break
            await pieces.rest()
        return found[:most]

    async def _queued(self, function: Function | None, most: int) -> list[ServerJob]:
        queues = self._engine.queues
        with self._lock:
            functions = queues.ready if function is None else ((function,),) * len(queues.ready)
            waiting = (
                job
                for precedence in BY_PRECEDENCE
                for each in functions[precedence]
                for job in each.queues[precedence]
            )
            return list(itertools.islice(itertools.chain(waiting, queues.aside), most))

    async def _scheduled(self, function: Function | None, most: int) -> list[ServerJob]:
        with self._lock:
            jobs = list(self._engine.epochs.jobs)
        found: list[ServerJob] = []
        pieces = Pieces()
        for start in range(0, len(jobs), RUN):
            found += _of(function, jobs[start : start + RUN])
            if len(found) >= most:
                break
            await pieces.rest()
        return found[:most]

    def job_row(self, job: ServerJob) -> JobRow:
        """Return a job's row; called with the lock held."""
        now = time.monotonic()
        holder = job.holder
        scheduled = job in self._engine.epochs.jobs
        state: State = "scheduled" if scheduled else "queued" if holder is None else "running"
        since = max(0.0, now - job.queued_at)
        return JobRow(
            handle=shown(job.handle),
            function=shown(job.name),
            unique=None if job.unique is None else shown(job.unique),
            state=state,
            precedence=_PRECEDENCES[job.precedence],
            background=job.background,
            age=None if scheduled else since,
            running_for=None if holder is None else max(0.0, now - job.started_at),
            numerator=_number(job.numerator),
            denominator=_number(job.denominator),
            retries=job.retries,
            size=len(job.arguments),
            due=max(0.0, job.queued_at - now) if scheduled else None,
            clients=len(job.clients),
            worker=None if holder is None else WorkerRef(shown(holder.client_id), _address(holder)),
        )

    # Connections

    async def workers(self, function: Function | None, page: int, size: int) -> WorkerPage:
        """Return a page of the connections that have registered functions.

        Args:
            function: One that they must have registered; None for any.
            page: The number of the page.
            size: How many there are on it.
        """
        found: list[Peer] = []
        pieces = Pieces()
        for peer in self._peers():
            if peer.abilities if function is None else function.name in peer.abilities:
                found.append(peer)
            await pieces.rest()
        rows: list[WorkerRow] = []
        for peer in found[(page - 1) * size : page * size]:
            with self._lock:
                rows.append(_worker_row(peer))
            await pieces.rest()
        return WorkerPage(workers=rows, total=len(found), page=page, size=size)

    async def connections(self, page: int, size: int) -> ConnectionPage:
        """Return a page of the connections of the Gearman protocol."""
        peers = self._peers()
        rows: list[ConnectionRow] = []
        pieces = Pieces()
        for peer in peers[(page - 1) * size : page * size]:
            with self._lock:
                rows.append(_connection_row(peer))
            await pieces.rest()
        return ConnectionPage(connections=rows, total=len(peers), page=page, size=size)

    def _peers(self) -> list[Peer]:
        with self._lock:
            return list(self._engine.peers)

    async def _connections(self) -> Connections:
        kinds: dict[Kind, int] = {"client": 0, "worker": 0, "both": 0, "other": 0}
        pieces = Pieces()
        for peer in self._peers():
            kinds[_kind(peer)] += 1
            await pieces.rest()
        return Connections(**kinds)

    # The server

    async def server(self) -> Server:
        """Return what there is of the server as a whole."""
        connections = await self._connections()
        oldest = await self._oldest()
        network, engine, history = self._network, self._engine, self._history
        with self._lock:
            counters = engine.tallies.read(len(engine.jobs))
            return Server(
                version=shown(engine.identity.version),
                pid=engine.identity.pid,
                uptime=time.monotonic() - self._started,
                draining=engine.closed,
                functions=len(engine.queues.functions),
                jobs=len(engine.jobs),
                queued=engine.queues.waiting + engine.queues.aside.count,
                running=engine.running,
                scheduled=len(engine.epochs.jobs),
                oldest=oldest,
                cancel_running=engine.settings.cancel_running,
                connections=connections,
                bytes_in=network.traffic.received,
                bytes_out=network.traffic.sent,
                packets=_packets(engine),
                turns=network.turns,
                turn_time=network.turn_time,
                lag=history.lag,
                memory=Memory(engine.limits.memory, engine.limits.used, resident()),
                limits=self._limits(counters),
                queue=self._queue(counters),
                counters=counters,
                rate=history.rate(None),
                history=history.listed(None),
                log_dropped=network.dropped_lines,
            )

    async def _oldest(self) -> float | None:
        with self._lock:
            functions = set().union(*self._engine.queues.ready)
        now = time.monotonic()
        oldest: float | None = None
        pieces = Pieces()
        for function in functions:
            waits = _oldest(function, now)
            if waits is not None and (oldest is None or waits > oldest):
                oldest = waits
            await pieces.rest()
        return oldest

    def _limits(self, counters: Counters) -> list[LimitRow]:
        settings, engine = self._network.settings, self._engine
        used: dict[str, int | None] = {
            "max_connections": self._network.open_connections,
            "max_jobs": len(engine.jobs),
            "max_memory": engine.limits.used,
            "max_queue": None,
            "max_functions": len(engine.queues.functions),
            "max_functions_per_worker": None,
            "max_registrations": engine.scheduler.registrations,
            "max_send_queue": None,
        }
        return [
            LimitRow(name, getattr(settings, name), count, getattr(counters, REFUSALS[name]))
            for name, count in used.items()
        ]

    def _queue(self, counters: Counters) -> QueueRow:
        ledger, queue = self._engine.ledger, self._network.settings.queue
        return QueueRow(
            kind="memory" if queue == MEMORY else "postgresql" if is_shared(queue) else "sqlite",
            stored=0 if ledger is None else ledger.jobs,
            backlog=0 if ledger is None else ledger.backlog,
            batches=counters.batches,
            latency=_mean(counters.store_time / 1e6, counters.batches),
            adopted=counters.adopted,
            moved=counters.moved,
            failure=None if ledger is None else ledger.failure,
        )
