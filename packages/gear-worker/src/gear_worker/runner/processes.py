"""Plain functions in processes, each of which can be ended and replaced alone."""

import asyncio
import collections
import multiprocessing
import socket
import threading
import time
from collections.abc import Coroutine
from typing import Final, Literal, cast

import msgspec

from gear_wire.errors import ConfigurationError, GearmanError
from gear_wire.functions import tracing
from gear_wire.functions.failures import timed_out
from gear_wire.packets import BasePacket, WorkData, WorkStatus, WorkWarning
from gear_wire.types import Handle
from gear_worker.runner.assignment import Assignment
from gear_worker.runner.calls import Call, failure
from gear_worker.runner.child import work
from gear_worker.runner.pool import Owner
from gear_worker.runner.spoken import (
    Begin,
    Broken,
    Data,
    Ended,
    Ready,
    Said,
    Status,
    Unpacker,
    Warn,
    pack,
)

FIRST_PAUSE: Final = 0.1
"""Seconds before a process that could not be made ready is replaced; twice as long each time."""
LONGEST_PAUSE: Final = 10.0
LAST_WORDS: Final = 5.0
"""Seconds that processes have to leave the app's lifespan before they are killed."""
LEFTOVERS: Final = 0.2
"""Seconds after the end of a process in which what it has said last is taken in."""
# Afresh: a fork would inherit connections, threads and locks.
_SPAWN: Final = multiprocessing.get_context("spawn")


class ProcessDiedError(GearmanError):
    """The process that ran a function died before the function had ended."""


class ProcessPool:
    """Runs each call in one of some processes, which are replaced when they end.

    Args:
        owner: The runner.
        assignment: What the processes are told.
        killed: What becomes of a call whose process died.
        size: The number of processes.
    """

    def __init__(
        self,
        owner: Owner,
        assignment: Assignment,
        killed: Literal["fail", "return"],
        size: int,
    ) -> None:
        self.owner: Owner = owner
        self.assignment: Assignment = assignment
        self._killed = killed
        self._size = size
        self._loop = asyncio.get_running_loop()
        self._first: asyncio.Future[None] = self._loop.create_future()
        self._processes: set[_Process] = set()
        self._idle: collections.deque[_Process] = collections.deque()
        self._queue: collections.deque[Call] = collections.deque()
        self._process_of: dict[Call, _Process] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._failures = 0
        self._closing = False
        self._emptied = asyncio.Event()

    @property
    def up(self) -> int:
        """How many processes are ready, or run a function."""
        return sum(process.ready for process in self._processes)

    async def start(self) -> None:
        """Start the processes, and wait until the first is ready.

        Raises:
            ConfigurationError: It could not be made ready.
        """
        for _ in range(self._size):
            self._spawn()
        await self._first

    def _spawn(self) -> None:
        if self._closing:
            return
        process = _Process(self)
        try:
            process.start()
        except OSError as error:
            self._spawn_later(str(error))
        else:
            self._processes.add(process)

    def room(self) -> int:
        """Return how many calls could start now: one for each process that is up and idle."""
        return len(self._idle) - len(self._queue)

    def begin(self, call: Call) -> None:
        """Begin a try of a call, in the same process as the one before if that is still there."""
        process = self._process_of.get(call)
        if process is None:
            if not self._idle:
                self._queue.append(call)
                return
            process = self._process_of[call] = self._idle.popleft()
        process.run(call)

    def release(self, call: Call) -> None:
        """Note that there will be no other try of a call."""
        process = self._process_of.pop(call, None)
        if process is not None:
            self._available(process)

    def _available(self, process: "_Process") -> None:
        if self._queue:
            call = self._queue.popleft()
            self._process_of[call] = process
            process.run(call)
        else:
            self._idle.append(process)
            self.owner.changed()

    # What processes tell

    def came_up(self, process: "_Process") -> None:
        """Note that a process is ready."""
        self._failures = 0
        if not self._first.done():
            self._first.set_result(None)
        self._available(process)

    def leaves(self, call: Call) -> None:
        """Note that the process of a call ends by itself; another try needs another process."""
        del self._process_of[call]

    def died(self, process: "_Process", call: Call | None, reason: str) -> None:
        """Replace a process that has ended.

        Args:
            process: The process.
            call: What it ran; None for nothing.
            reason: Why it ended.
        """
        self._processes.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        for known, its in [*self._process_of.items()]:
            if its is process:
                del self._process_of[known]
        if self._closing:
            if not self._processes:
                self._emptied.set()
            return
        self._replace(process, reason)
        if call is None:
            self.owner.changed()
            return
        function = call.function
        error: Exception = ProcessDiedError(f"the process that ran {function.name} died: {reason}")
        if process.timed_out:
            error = timed_out(function.name, function.options.timeout)
        # What the process would have recorded of this try has died with it.
        job = call.job
        tracing.lose(function, job.handle, job.binary_arguments, call.attempt, process.began, error)
        if process.timed_out:
            self.owner.ended(call, failure(function, error, call.attempt))
        elif self._killed == "return":
            self.owner.given_up(call)
        else:
            self.owner.ended(call, failure(function, error, call.attempt, final=True))

    def _replace(self, process: "_Process", reason: str) -> None:
        if process.ready:
            self._spawn()
            return
        self._spawn_later(reason)

    def _spawn_later(self, reason: str) -> None:
        if not self._first.done():
            self._first.set_exception(
                ConfigurationError(f"a process of the pool could not be made ready: {reason}")
            )
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 16))
        self._failures += 1
        self.owner.log.error("A process could not be made ready, next in %.1f s: %s", pause, reason)
        now = self._loop.time()
        self._timers = [timer for timer in self._timers if timer.when() > now]
        self._timers.append(self._loop.call_later(pause, self._spawn))

    # Leaving

    def cut(self) -> None:
        """Kill the processes that run something."""
        self._queue.clear()
        for process in self._process_of.values():
            process.kill()

    async def close(self) -> None:
        """Have all processes leave the lifespan and end; kill those that do not."""
        self._closing = True
        if self._first.done():
            self._first.exception()  # seen, or of no interest any more
        for timer in self._timers:
            timer.cancel()
        self.cut()
        for process in self._processes:
            process.dismiss()
        if self._processes:
            try:
                await asyncio.wait_for(self._emptied.wait(), LAST_WORDS)
            except TimeoutError:
                for process in self._processes:
                    process.kill()
                await self._emptied.wait()


class _Process(asyncio.Protocol):
    """One process of the pool, and the runner's end of the channel to it."""

    def __init__(self, pool: ProcessPool) -> None:
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._unpacker = Unpacker(msgspec.msgpack.Decoder(Said))
        self._transport: asyncio.Transport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._call: Call | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._error = ""
        self._dismissed = False
        self._disconnected = False
        self._exited = False
        self.ready: bool = False
        self.began: int = 0  # nanoseconds since 1970
        self.timed_out: bool = False

    def start(self) -> None:
        """Start the process."""
        ours, its = socket.socketpair()
        ours.setblocking(False)
        self._process = _SPAWN.Process(
            target=work, args=(self._pool.assignment, its), name="gear.Runner process"
        )
        with its:
            try:
                self._process.start()
            except BaseException:
                ours.close()
                raise
        threading.Thread(
            target=self._wait, name=f"gear.Runner waits for {self._process.pid}", daemon=True
        ).start()
        self._keep(self._connect(ours))

    async def _connect(self, sock: socket.socket) -> None:
        await self._loop.create_unix_connection(lambda: self, sock=sock)

    def _keep(self, coroutine: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _wait(self) -> None:
        self._process.join()
        try:
            self._loop.call_soon_threadsafe(self._on_exit)
        except RuntimeError:
            pass  # the loop was closed without the pool

    # What happens to it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the channel."""
        self._transport = cast(asyncio.Transport, transport)
        if self._dismissed:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take in what the process says."""
        for message in self._unpacker.feed(data):
            self._heard(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a process that has closed its end: it can do nothing any more."""
        self._disconnected = True
        if not self._dismissed:
            self.kill()
        self._settle()

    def _on_exit(self) -> None:
        self._exited = True
        if self._transport is not None and not self._disconnected:
            # A program that it has started may keep the channel open.
            self._loop.call_later(LEFTOVERS, self._transport.abort)
        self._settle()

    def _settle(self) -> None:
        if not (self._exited and self._disconnected):
            return
        if self._timer is not None:
            self._timer.cancel()
        call, self._call = self._call, None
        code = self._process.exitcode
        self._pool.died(self, call, self._error or f"exit code {code}")
        self._process.close()

    # What it says

    def _heard(self, message: Said) -> None:
        match message:
            case Ready():
                self.ready = True
                self._pool.came_up(self)
            case Broken(error):
                self._error = error
            case Ended():
                self._ended(message)
            case Status(numerator, denominator):
                self._report(WorkStatus(self._handle, numerator, denominator))
            case Warn(payload):
                self._report(WorkWarning(self._handle, payload))
            case Data(payload):
                self._report(WorkData(self._handle, payload))

    @property
    def _handle(self) -> Handle:
        return Handle((self._call and self._call.job.handle) or b"")

    def _report(self, packet: BasePacket) -> None:
        call = self._call
        if call is None:
            return
        self._pool.owner.report(call, packet)
        if call.job.crowded and self._transport is not None:
            self._transport.pause_reading()
            self._keep(self._read_on(call, self._transport))

    async def _read_on(self, call: Call, transport: asyncio.Transport) -> None:
        await call.job.room()
        transport.resume_reading()

    def _ended(self, message: Ended) -> None:
        if self._call is None or self.timed_out:
            return
        call, self._call = self._call, None
        if self._timer is not None:
            self._timer.cancel()
        if message.spent:
            self._pool.leaves(call)
        self._pool.owner.ended(call, message.ending)

    # What it is told

    def run(self, call: Call) -> None:
        """Have the process run a function."""
        self._call = call
        self.began = time.time_ns()
        timeout = call.function.options.timeout
        if timeout is not None:
            self._timer = self._loop.call_later(timeout, self._time_is_up)
        job = call.job
        begin = Begin(
            call.function.name, job.handle or b"", job.binary_unique, job.binary_arguments,
            call.attempt, timeout,
        )  # fmt: skip
        if self._transport is not None:
            self._transport.write(pack(begin))

    def _time_is_up(self) -> None:
        self.timed_out = True
        self.kill()

    def kill(self) -> None:
        """Kill the process."""
        if not self._exited:
            self._process.kill()

    def dismiss(self) -> None:
        """Have the process end when it has nothing to do."""
        self._dismissed = True
        if self._transport is not None:
            self._transport.close()
