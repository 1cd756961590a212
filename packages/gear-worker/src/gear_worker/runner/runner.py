"""`Runner`: an app that is being run, on one asyncio loop."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from typing import Final, Literal

from gear_wire.errors import ConfigurationError, ConnectionError, InterruptedError
from gear_wire.escape import escaped
from gear_wire.functions import tracing
from gear_wire.functions.app import App
from gear_wire.functions.function import AnyFunction
from gear_wire.link.deadline import CLOSE_TIMEOUT
from gear_wire.packets import BasePacket, WorkComplete, WorkException, WorkFail
from gear_wire.types import Handle
from gear_worker.async_job import AsyncWorkerJob
from gear_worker.functions import FunctionRecord
from gear_worker.runner.assignment import Assignment, Setup, find
from gear_worker.runner.calls import Call, Ending
from gear_worker.runner.intake import Intake
from gear_worker.runner.lanes import FunctionLane
from gear_worker.runner.lifespan import entered
from gear_worker.runner.memory import memory_in_use
from gear_worker.runner.pool import Pool
from gear_worker.runner.settings import RunnerSettings, to_settings
from gear_worker.runner.status import FunctionCounts, RunnerStatus
from gear_worker.runner.tasks import TaskPool
from gear_worker.runner.threads import ThreadPool
from gear_worker.schedule.missed import Missed

SERVER_PATIENCE: Final = 5.0
"""Seconds that a server waits longer for the end of a job than its runner: it is the runner who
says why a job did not end, unless it hangs itself."""

Fate = Literal["completed", "failed", "lost"]


def server_timeout(function: AnyFunction) -> float | None:
    """Return the seconds for which a server lets a worker have a job of a function.

    All tries and the pauses between them fit in.
    """
    timeout, retries = function.options.timeout, function.options.retries
    if timeout is None:
        return None
    return timeout * (1 + retries.count) + retries.longest_pauses() + SERVER_PATIENCE


class Runner:
    """Runs the functions of an app, as jobs come from servers.

    Args:
        app: The app; with processes, one that a module has as a global variable.
        settings: How it is run; the defaults if None.
        setup: What each process of the pool calls first, such as to configure logging; a function
            of a module.

    Attributes:
        app: As given.
        settings: As given.
    """

    def __init__(
        self, app: App, settings: RunnerSettings | None = None, *, setup: Setup | None = None
    ) -> None:
        if not isinstance(app, App):
            raise TypeError(f"app must be a gear.App, not {app!r}")
        self.app: App = app
        self.settings: RunnerSettings = to_settings(settings)
        self._setup = setup
        self._functions: dict[bytes, AnyFunction] = {
            name.encode(errors="surrogateescape"): function
            for name, function in app.runnable().items()
        }
        self._missed = Missed(app.schedule)
        self._counts = {name: FunctionCounts() for name in app.runnable()}
        self._lanes: dict[bytes, FunctionLane] = {}
        self._records: list[FunctionRecord] = []
        for name, function in self._functions.items():
            self._register(name, function)
        self._calls: set[Call] = set()
        self._held: list[Call] = []
        self._pauses: dict[Call, asyncio.TimerHandle] = {}
        self._waits: set[asyncio.Task[None]] = set()
        self._busy = 0
        self._taken = 0
        self._over = 0
        self._stopping = False
        self._stop_by: float | None = None
        self._task: asyncio.Task[bool] | None = None

    def _register(self, name: bytes, function: AnyFunction) -> None:
        record = FunctionRecord(name, server_timeout(function))
        most, rate = self.settings.concurrency, function.options.rate
        own = min(function.options.concurrency or most, most)
        if own < most or rate is not None:
            self._lanes[name] = FunctionLane(record, own, rate)
        else:
            self._records.append(record)

    def __repr__(self) -> str:
        return f"<gear.Runner 0x{id(self):x} of {self.app!r}>"

    @property
    def log(self) -> logging.Logger:
        """The runner's logger, ``gear.Runner.<client_id>``."""
        return self._intake.log

    # Its life

    async def start(self) -> None:
        """Enter the app's lifespan, start threads or processes and connect in the background.

        Raises:
            ConfigurationError: The app has no function to run, or one that cannot be run so.
            InterruptedError: It was told to stop meanwhile.
        """
        self._check()
        tracing.load()
        self._loop = asyncio.get_running_loop()
        self._stir = asyncio.Event()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._task = self._loop.create_task(self._live())
        try:
            await asyncio.wait((self._task, self._started), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.wait((self._task,))
            raise
        if not self._started.done():
            if self._task.cancelled():
                raise InterruptedError(f"{self!r} was stopped before it had started")
            await self._task  # raises

    def _check(self) -> None:
        self.app.check()
        if not self._functions:
            raise ConfigurationError("the app has no function to run")
        if self.settings.pool == "tasks" and self._plain:
            names = ", ".join(function.name for function in self._plain)
            raise ConfigurationError(
                f"these functions are not async, so they need threads or processes: {names}"
            )

    @property
    def _plain(self) -> list[AnyFunction]:
        return [known for known in self._functions.values() if not known.asynchronous]

    @property
    def _in_processes(self) -> bool:
        return self.settings.pool == "processes" and bool(self._plain)

    async def _live(self) -> bool:
        """Be a runner from start to end, all in one task, as some lifespans need it."""
        settings = self.settings
        asynchronous = len(self._plain) < len(self._functions)
        async with contextlib.AsyncExitStack() as stack:
            state = None
            if self.app.span is not None and (asynchronous or not self._in_processes):
                state = await stack.enter_async_context(entered(self.app.span()))
            self._intake = Intake(settings.client_id, settings.heartbeat or None, self._take)
            stack.push_async_callback(self._intake.close, CLOSE_TIMEOUT)
            self._tasks = TaskPool(self, self.app.middlewares, state)
            stack.push_async_callback(self._tasks.close)
            self._pool = self._make_pool(state)
            if self._pool is not None:
                stack.push_async_callback(self._pool.close)
                await self._pool.start()
            self._intake.open(settings.addresses(), self._records, self._lanes)
            self._ask()
            self._started.set_result(None)
            return await self._work()

    def _make_pool(self, state: object) -> Pool | None:
        settings = self.settings
        if not self._plain:
            return None
        if not self._in_processes:
            return ThreadPool(self, self.app.middlewares, state, settings.concurrency)
        from gear_worker.runner.processes import ProcessPool

        module, attribute = find(self.app)
        assignment = Assignment(
            module, attribute, self._setup, settings.max_jobs, settings.max_memory
        )
        return ProcessPool(self, assignment, settings.killed, settings.concurrency)

    async def _work(self) -> bool:
        """Run jobs until it is stopped; True if all that were taken have ended then."""
        while not self._stopping:
            await self._next_stir(None)
        await self._intake.last_jobs()
        for call in [*self._held, *self._pauses]:
            self._give_up(call)
        while self._calls:
            left = (self._stop_by or 0.0) - self._loop.time()
            if left <= 0:
                break
            await self._next_stir(left)
        unfinished = len(self._calls)
        if unfinished:
            self.log.warning("Giving back %d jobs that have not ended", unfinished)
        self._tasks.cut()
        if self._pool is not None:
            self._pool.cut()
        await self._intake.close(CLOSE_TIMEOUT)
        return not unfinished

    async def _next_stir(self, timeout: float | None) -> None:
        self._stir.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stir.wait(), timeout)

    def stop(self, grace: float | None = None) -> None:
        """Take no more jobs; those that run have some time to end, and go back to their servers.

        It returns at once; `wait` returns when all is done. A second call can only shorten the
        time: with 0, all ends at once.

        Args:
            grace: Seconds for running jobs; as set if None.
        """
        if self._task is None:
            return
        seconds = self.settings.grace if grace is None else grace
        by = self._loop.time() + seconds
        self._stop_by = by if self._stop_by is None else min(by, self._stop_by)
        self._stopping = True
        self._stir.set()
        if not self._started.done():
            self._task.cancel()

    async def wait(self) -> bool:
        """Wait until it has stopped, and return whether all jobs that were taken have ended."""
        if self._task is None:
            return True
        return await asyncio.shield(self._task)

    async def wait_for_servers(self, timeout: float | None = None) -> None:
        """Wait until all servers are connected.

        Args:
            timeout: Seconds to wait; None for no limit.

        Raises:
            TimeoutError: One was not connected in time.
        """
        await self._intake.wait_for_all(timeout)

    def status(self) -> RunnerStatus:
        """Return how it is at the moment; it must have been started."""
        return RunnerStatus(
            servers=self._intake.servers(),
            running=len(self._calls),
            free=self._room(),
            processes=0 if self._pool is None else self._pool.up,
            stopping=self._stopping,
            functions=self._counts,
        )

    # Places

    def _room(self) -> int:
        """Return how many jobs could start now, of whatever function."""
        if self._stopping:
            return 0
        room = self.settings.concurrency - self._busy - len(self._held)
        if self._pool is not None:
            room = min(room, self._pool.room())
        if self.settings.max_jobs and not self._in_processes:
            room = min(room, self.settings.max_jobs - self._taken)
        return max(0, room)

    def _ask(self) -> None:
        """Ask for as many jobs as could start."""
        if not self._stopping:  # what was asked for before may still come
            self._intake.want(self._room())

    def changed(self) -> None:
        """Note that another number of calls could start now."""
        self._begin_held()
        self._ask()

    def _take(self, job: AsyncWorkerJob) -> None:
        name = job.binary_name
        call = Call(job, self._functions[name], self._lanes.get(name))
        self._calls.add(call)
        if self._missed.is_missed(call.function.name, job.binary_unique, time.time()):
            self._leave_out(call)
            return
        self._taken += 1
        if self._may_begin(call):
            self._begin(call)
        else:
            # A server that had seemed to hang gave a job after all.
            self._held.append(call)
        self._ask()

    def _leave_out(self, call: Call) -> None:
        """End a job of the schedule whose time was missed."""
        handle = call.job.handle or b""
        self.log.info(
            "%s %s: left out, its time was missed", call.function.name, escaped(handle),
            extra=self._fields(call),
        )  # fmt: skip
        self.report(call, WorkComplete(Handle(handle), b""))
        self._forget(call)
        self._intake.noticed_end()
        self._ask()

    def _may_begin(self, call: Call) -> bool:
        if self._busy >= self.settings.concurrency:
            return False
        if call.lane is not None and call.lane.running >= call.lane.concurrency:
            return False
        return call.function.asynchronous or self._pool is None or self._pool.room() > 0

    def _begin_held(self) -> None:
        for call in [*self._held]:
            if self._may_begin(call):
                self._held.remove(call)
                self._begin(call)

    def _begin(self, call: Call) -> None:
        self._busy += 1
        if call.lane is not None:
            call.lane.running += 1
            pause = call.lane.wait()
            if pause:
                self._loop.call_later(pause, self._ask)
        if self.log.isEnabledFor(logging.DEBUG):
            self.log.debug(
                "%s %s: started", call.function.name, escaped(call.job.handle or b""),
                extra=self._fields(call),
            )  # fmt: skip
        self._pool_of(call).begin(call)

    def _pool_of(self, call: Call) -> "Pool | TaskPool":
        if call.function.asynchronous or self._pool is None:
            return self._tasks
        return self._pool

    # What pools tell

    def report(self, call: Call, packet: BasePacket) -> None:
        """Send a report of a job that runs; nothing if its server has taken it back."""
        with contextlib.suppress(ConnectionError):
            call.job.post(packet)

    def ended(self, call: Call, ending: Ending) -> None:
        """Take in how a try ended: report it, or try again."""
        if ending.retry is None:
            self._finish(call, ending)
        elif self._stopping or not call.job.open:
            self._give_up(call)
        else:
            self._counts[call.function.name].retried += 1
            self.log.warning(
                "%s %s: try %d failed, next in %.3g s: %s",
                call.function.name, escaped(call.job.handle or b""), call.attempt, ending.retry,
                ending.error, extra=self._fields(call),
            )  # fmt: skip
            call.attempt += 1
            self._pauses[call] = self._loop.call_later(ending.retry, self._again, call)

    def _again(self, call: Call) -> None:
        del self._pauses[call]
        if call.job.open:
            self._pool_of(call).begin(call)
        else:
            self._give_up(call)

    def _finish(self, call: Call, ending: Ending) -> None:
        handle = Handle(call.job.handle or b"")
        fate: Fate = "failed" if ending.failed else "completed"
        try:
            if ending.failed:
                # gearmand and geard end a job with the first; Perl's server waits for the second.
                call.job.post(WorkException(handle, ending.data))
                call.job.post(WorkFail(handle))
            else:
                call.job.post(WorkComplete(handle, ending.data))
        except ConnectionError:
            fate = "lost"
        self._account(call, fate, ending)
        if call.job.crowded:
            task = self._loop.create_task(self._release_later(call))
            self._waits.add(task)
            task.add_done_callback(self._waits.discard)
        else:
            self._release(call)

    async def _release_later(self, call: Call) -> None:
        """Keep the place while the server does not take what was said."""
        await call.job.room()
        self._release(call)

    def given_up(self, call: Call) -> None:
        """Give a job back to its server, now."""
        self._intake.give_back(call.job)
        self._give_up(call)

    def _give_up(self, call: Call) -> None:
        """Have nothing more to do with a job: its server takes it back with the connection."""
        pause = self._pauses.pop(call, None)
        if pause is not None:
            pause.cancel()
        self._account(call, "lost", None)
        if call in self._held:
            self._held.remove(call)
            self._forget(call)
        else:
            self._release(call)

    def _release(self, call: Call) -> None:
        self._pool_of(call).release(call)
        self._calls.discard(call)
        self._over += 1
        if not call.occupied:
            self.vacated(call)
        self._intake.noticed_end()
        self._stir.set()

    def vacated(self, call: Call) -> None:
        """Note that a call's place is free again."""
        self._busy -= 1
        if call.lane is not None:
            call.lane.running -= 1
            call.lane.over()
        self._look_at_limits()
        self.changed()

    def _forget(self, call: Call) -> None:
        self._calls.discard(call)
        if call.lane is not None:
            call.lane.over()
        self._stir.set()

    def _look_at_limits(self) -> None:
        """Stop when enough jobs have run, or too much memory is in use, without processes."""
        settings = self.settings
        if self._in_processes or self._stopping:
            return
        if settings.max_jobs and self._over >= settings.max_jobs:
            self.log.info("Stopping after %d jobs", self._over)
            self.stop()
        elif settings.max_memory and (used := memory_in_use()) >= settings.max_memory:
            self.log.info("Stopping with %.0f MiB of memory in use", used)
            self.stop()

    # Accounts

    def _account(self, call: Call, fate: Fate, ending: Ending | None) -> None:
        seconds = time.monotonic() - call.since
        counts = self._counts[call.function.name]
        counts.took(seconds)
        setattr(counts, fate, getattr(counts, fate) + 1)
        level = logging.INFO
        if fate == "lost":
            level = logging.WARNING
        elif ending is not None and ending.failed:
            level = logging.ERROR if ending.trace else logging.WARNING
        if not self.log.isEnabledFor(level):
            return
        text = "" if ending is None or not ending.failed else f": {ending.trace or ending.error}"
        ended = time.time()
        fields = self._fields(call) | {
            "outcome": fate,
            "seconds": seconds,
            "started": ended - seconds,
            "ended": ended,
        }
        self.log.log(
            level, "%s %s: %s in %.3f s%s",
            call.function.name, escaped(call.job.handle or b""), fate, seconds, text, extra=fields,
        )  # fmt: skip

    def _fields(self, call: Call) -> dict[str, object]:
        unique = call.job.binary_unique
        return {
            "function": call.function.name,
            "handle": escaped(call.job.handle or b""),
            "unique": None if unique is None else escaped(unique),
            "attempt": call.attempt,
        }


@contextlib.asynccontextmanager
async def running(
    app: App, settings: RunnerSettings | None = None, *, setup: Setup | None = None
) -> AsyncIterator[Runner]:
    """Run an app beside other things on this loop; leaving the block stops it gracefully.

    Signals are left alone.

    Args:
        app: The app; with processes, one that a module has as a global variable.
        settings: How it is run; the defaults if None.
        setup: What each process of the pool calls first, such as to configure logging; a function
            of a module.

    Raises:
        ConfigurationError: The app has no function to run, or one that cannot be run so.
    """
    runner = Runner(app, settings, setup=setup)
    await runner.start()
    try:
        yield runner
    finally:
        runner.stop()
        await runner.wait()
