"""Asynchronous functions: each call is a task on the runner's loop."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Final

from gear_wire.functions.execution import Middleware, Outcome, run_async
from gear_wire.functions.failures import encode_failure
from gear_wire.packets import BasePacket
from gear_worker.runner.calls import Call, Ending, PacketReports, ending_of, too_slow
from gear_worker.runner.pool import Owner

LAST_WORDS: Final = 1.0
"""Seconds that tasks which were cancelled have to clean up."""


class TaskPool:
    """Runs each call as a task.

    Args:
        owner: The runner.
        middlewares: What is entered around each call.
        state: What the app's lifespan yielded.
    """

    def __init__(self, owner: Owner, middlewares: Sequence[Middleware], state: object) -> None:
        self._owner = owner
        self._middlewares = middlewares
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut = False

    def begin(self, call: Call) -> None:
        """Begin a try of a call."""
        task = self._loop.create_task(self._run(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, call: Call) -> None:
        try:
            ending = await self._try(call)
        except asyncio.CancelledError as error:
            if self._cut:
                raise
            # The function itself awaited something that was cancelled.
            data = encode_failure(error, (), call.function.tracebacks)
            ending = ending_of(call.function, Outcome(data, error), call.attempt)
        self._owner.ended(call, ending)

    async def _try(self, call: Call) -> Ending:
        function = call.function

        def post(packet: BasePacket) -> None:
            if threading.get_ident() == self._thread:
                self._owner.report(call, packet)
            else:  # in asyncio.to_thread, which has the same current job
                self._loop.call_soon_threadsafe(self._owner.report, call, packet)

        current = call.current(PacketReports(call.job.handle, post), self._state)
        timeout = function.options.timeout
        if timeout is None:
            outcome = await run_async(function, current, self._middlewares, call.job.room)
        else:
            try:
                async with asyncio.timeout(timeout):
                    outcome = await run_async(function, current, self._middlewares, call.job.room)
            except TimeoutError:
                return too_slow(function, call.attempt)
        return ending_of(function, outcome, call.attempt)

    def release(self, call: Call) -> None:
        """Note that there will be no other try of a call: nothing is kept for one."""

    def cut(self) -> None:
        """Cancel all tasks; none is reported."""
        self._cut = True
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Wait for the tasks that were cancelled."""
        self.cut()
        if self._tasks:
            await asyncio.wait([*self._tasks], timeout=LAST_WORDS)
