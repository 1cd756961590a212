"""Plain functions in threads of the runner's process."""

import asyncio
import collections
import queue
import threading
from collections.abc import Sequence

from gear_wire.functions.execution import Middleware, run
from gear_wire.packets import BasePacket, WorkData
from gear_worker.runner.calls import (
    PER_REPORT,
    QUIET,
    Call,
    Ending,
    PacketReports,
    ending_of,
    too_slow,
)
from gear_worker.runner.pool import Owner

Message = BasePacket | Ending | threading.Event
"""What a thread tells the loop; the event is set when the connection has room."""


class ThreadPool:
    """Runs each call in one of a fixed number of threads.

    A thread cannot be ended. So a call that takes longer than its function's timeout is reported as
    failed then, and its thread goes on and keeps its place until the function returns.

    Args:
        owner: The runner.
        middlewares: What is entered around each call.
        state: What the app's lifespan yielded.
        size: The number of threads.
    """

    def __init__(
        self, owner: Owner, middlewares: Sequence[Middleware], state: object, size: int
    ) -> None:
        self._owner = owner
        self._middlewares = middlewares
        self._state = state
        self._size = size
        self._loop = asyncio.get_running_loop()
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._messages: collections.deque[tuple[Call, Message]] = collections.deque()
        self._woken = False
        self._closed = False
        self._timers: dict[Call, asyncio.TimerHandle] = {}
        self._late: set[Call] = set()
        self._waiting: set[threading.Event] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def up(self) -> int:
        """How many processes are up: there are none."""
        return 0

    async def start(self) -> None:
        """Start the threads."""
        for number in range(self._size):
            name = f"gear.Runner thread {number + 1}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def room(self) -> int:
        """Return how many calls could start now: each place has its thread."""
        return self._size

    def begin(self, call: Call) -> None:
        """Begin a try of a call."""
        timeout = call.function.options.timeout
        if timeout is not None:
            self._timers[call] = self._loop.call_later(timeout, self._time_is_up, call)
        self._calls.put(call)

    def release(self, call: Call) -> None:
        """Note that there will be no other try of a call: nothing is kept for one."""

    # In a thread

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            reports = _ThreadReports(self, call)
            current = call.current(PacketReports(call.job.handle, reports.post), self._state)
            outcome = run(call.function, current, self._middlewares)
            self.tell(call, ending_of(call.function, outcome, call.attempt))

    def tell(self, call: Call, message: Message) -> None:
        """Give the loop a message; for threads."""
        self._messages.append((call, message))
        if not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._collect)
            except RuntimeError:
                pass  # the loop was closed: nobody waits for this thread any more
        if isinstance(message, threading.Event):
            if self._closed:
                message.set()
            message.wait()

    # On the loop

    def _collect(self) -> None:
        self._woken = False  # first: what comes after the last look wakes the loop again
        while self._messages:
            call, message = self._messages.popleft()
            if isinstance(message, threading.Event):
                self._make_room(call, message)
            elif isinstance(message, Ending):
                self._end(call, message)
            elif call not in self._late:
                self._owner.report(call, message)

    def _make_room(self, call: Call, event: threading.Event) -> None:
        if not call.job.crowded:
            event.set()
            return
        self._waiting.add(event)
        task = self._loop.create_task(self._wait_for_room(call, event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait_for_room(self, call: Call, event: threading.Event) -> None:
        try:
            await call.job.room()
        finally:
            self._waiting.discard(event)
            event.set()

    def _end(self, call: Call, ending: Ending) -> None:
        if call in self._late:
            self._late.discard(call)
            self._owner.vacated(call)
            return
        timer = self._timers.pop(call, None)
        if timer is not None:
            timer.cancel()
        self._owner.ended(call, ending)

    def _time_is_up(self, call: Call) -> None:
        del self._timers[call]
        self._late.add(call)
        call.occupied = True
        self._owner.ended(call, too_slow(call.function, call.attempt, final=True))

    def cut(self) -> None:
        """Forget the calls that run: nothing ends a thread."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    async def close(self) -> None:
        """End the threads that have nothing to do; the others end with what they do."""
        self.cut()
        self._closed = True
        for task in self._tasks:
            task.cancel()
        waiting = [message for _, message in self._messages if isinstance(message, threading.Event)]
        for event in (*self._waiting, *waiting):
            event.set()
        for _ in range(self._size):
            self._calls.put(None)


class _ThreadReports:
    """Gives a thread's reports to the loop, and has the thread wait if they are too many."""

    def __init__(self, pool: ThreadPool, call: Call) -> None:
        self._pool = pool
        self._call = call
        self._unsent = 0

    def post(self, packet: BasePacket) -> None:
        """Give the loop a report."""
        self._pool.tell(self._call, packet)
        self._unsent += PER_REPORT
        if isinstance(packet, WorkData):
            self._unsent += len(packet.payload)
        if self._unsent >= QUIET:
            self._unsent = 0
            self._pool.tell(self._call, threading.Event())
