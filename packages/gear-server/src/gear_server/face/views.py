"""The engine's state, as 0.16's server showed it."""

import heapq
import threading
from collections.abc import Callable, Iterable, Iterator, MutableSet, Sequence
from typing import TypeVar, overload

from gear_server.engine.counters import Counters
from gear_server.engine.engine import Engine
from gear_server.engine.ledger import Ledger
from gear_server.engine.queues import Queues
from gear_server.engine.state import ServerJob
from gear_server.face.connections import ServerConnection, as_connection, assign
from gear_wire.enums import Precedence

Result = TypeVar("Result")
Element = TypeVar("Element")


class QueueView(Sequence[ServerJob]):
    """The queued jobs of one precedence over all functions, oldest first.

    Iterating uses a copy, so that jobs may be removed meanwhile.
    """

    def __init__(self, engine: Engine, precedence: Precedence) -> None:
        self._engine = engine
        self._queues = engine.queues
        self._precedence = precedence

    def _jobs(self) -> list[ServerJob]:
        # A job that was queued again stays behind those of its function that it waits for.
        ages = {job: age for age, job in enumerate(self._engine.jobs.values())}
        ready = self._queues.ready[self._precedence]
        queues = [function.queues[self._precedence] for function in ready]
        return list(heapq.merge(*queues, key=lambda job: ages.get(job, len(ages))))

    def __len__(self) -> int:
        return len(self._jobs())

    def __iter__(self) -> Iterator[ServerJob]:
        return iter(self._jobs())

    @overload
    def __getitem__(self, index: int) -> ServerJob: ...

    @overload
    def __getitem__(self, index: slice) -> list[ServerJob]: ...

    def __getitem__(self, index: int | slice) -> ServerJob | list[ServerJob]:
        return self._jobs()[index]

    def remove(self, job: ServerJob) -> None:
        """Remove a job from its queue.

        Raises:
            ValueError: It is not queued.
        """
        if job.queue is None:
            raise ValueError(f"{job!r} is not queued")
        self._queues.remove(job)

    def append(self, job: ServerJob) -> None:
        """Append a job that is not queued."""
        if job.queue is None:
            self._queues.append(job)

    def __repr__(self) -> str:
        return repr(self._jobs())


class FunctionNames(MutableSet[bytes]):
    """A live set of the functions that a server knows.

    Args:
        queues: The functions.
        lock: Held while they are read or changed.
    """

    def __init__(self, queues: Queues, lock: threading.RLock) -> None:
        self._queues = queues
        self._lock = lock

    def __contains__(self, name: object) -> bool:
        return name in self._queues.functions

    def __iter__(self) -> Iterator[bytes]:
        with self._lock:
            return iter(list(self._queues.functions))

    def __len__(self) -> int:
        return len(self._queues.functions)

    @classmethod
    def _from_iterable(cls, names: Iterable[Element]) -> set[Element]:
        """Make `|`, `&` and `-` give plain sets."""
        return set(names)

    def add(self, value: bytes) -> None:
        """Add a function, as ``create function`` does."""
        with self._lock:
            self._queues.keep(value)

    def discard(self, value: bytes) -> None:
        """Remove a function, unless it has workers or jobs."""
        with self._lock:
            function = self._queues.functions.get(value)
            if function is not None and not function.workers and not function.total:
                self._queues.drop(function)

    def __repr__(self) -> str:
        return repr(set(self))


class ServerViews:
    """What a `Server` shows of its engine, to any thread."""

    lock: threading.RLock
    _engine: Engine
    _ledger: Ledger | None

    def _locked(self, look: Callable[[], Result]) -> Result:
        with self.lock:
            return look()

    @property
    def active_connections(self) -> list[ServerConnection]:
        """The open connections."""
        return self._locked(lambda: [as_connection(peer) for peer in self._engine.peers])

    @property
    def functions(self) -> MutableSet[bytes]:
        """The functions that the server knows; a live set that may be changed and assigned."""
        return FunctionNames(self._engine.queues, self.lock)

    @functions.setter
    def functions(self, names: Iterable[bytes]) -> None:
        with self.lock:
            assign(self.functions, names)

    @property
    def counters(self) -> Counters:
        """A copy of the counters since the start."""
        return self._locked(lambda: self._engine.tallies.read(len(self._engine.jobs)))

    @property
    def jobs(self) -> dict[bytes, ServerJob]:
        """All jobs by handle."""
        return self._engine.jobs

    @property
    def high_queue(self) -> QueueView:
        """The queued jobs of high precedence."""
        return QueueView(self._engine, Precedence.HIGH)

    @property
    def normal_queue(self) -> QueueView:
        """The queued jobs of normal precedence."""
        return QueueView(self._engine, Precedence.NORMAL)

    @property
    def low_queue(self) -> QueueView:
        """The queued jobs of low precedence."""
        return QueueView(self._engine, Precedence.LOW)

    @property
    def memory_used(self) -> int:
        """The bytes that all jobs take, as the setting `max_memory` limits them."""
        return self._engine.limits.used

    @property
    def total_jobs(self) -> int:
        """The number of jobs."""
        return len(self._engine.jobs)

    @property
    def running_jobs(self) -> int:
        """The number of running jobs; setting it, as subclasses of 0.16 did, has no effect."""
        return self._engine.running

    @running_jobs.setter
    def running_jobs(self, number: int) -> None:
        """Do nothing: the server counts by itself."""

    @property
    def stored_jobs(self) -> int:
        """The number of jobs that the store of the queue keeps; 0 without one."""
        return 0 if self._ledger is None else self._ledger.jobs

    @property
    def waiting_jobs(self) -> int:
        """The number of queued jobs; setting it, as subclasses of 0.16 did, has no effect."""
        return self._engine.queues.waiting

    @waiting_jobs.setter
    def waiting_jobs(self, number: int) -> None:
        """Do nothing: the server counts by itself."""

    def getQueue(self) -> list[ServerJob]:
        """Return the queued jobs: those of high precedence, then normal, then low."""
        with self.lock:
            return [*self.high_queue, *self.normal_queue, *self.low_queue]
