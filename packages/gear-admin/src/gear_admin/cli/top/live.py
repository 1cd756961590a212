"""Keeps the board and the screen up to date until somebody ends it."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from rich.console import Console

from gear_admin.async_client import AsyncAdminClient
from gear_admin.cli.answers import client_of
from gear_admin.cli.top.board import Board, FunctionState, ServerState
from gear_admin.cli.top.keys import keys_of
from gear_admin.cli.top.screen import Screen
from gear_admin.cli.top.sheet import View
from gear_admin.cli.top.terminal import Terminal
from gear_wire.cli.exits import Exit, describe
from gear_wire.cli.servers import format_server
from gear_wire.errors import GearmanError, ServerError
from gear_wire.link.address import ServerAddress
from gear_wire.link.aio.within import within
from gear_wire.link.deadline import Deadline
from gear_wire.text import FunctionActivity, FunctionCounters, FunctionStatus

LOOKS: Final = 10
"""Looks at a server in a second at most: gearmand's jobs that end between two may be missed."""
SHARE: Final = 20
"""For so many times as long as its answer took, a server is left alone: it has other work."""
_Rows = Sequence[FunctionStatus | FunctionActivity | FunctionCounters]
_QUESTIONS: Final[Sequence[Callable[[AsyncAdminClient], Awaitable[_Rows]]]] = (
    AsyncAdminClient.show_counters,
    AsyncAdminClient.show_functions,
    AsyncAdminClient.status,
)
"""From the one that tells most to the one that all servers know."""
_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Watch:
    """Looks at one server, again and again, and connects again when it is gone.

    Args:
        address: The server.
        state: What is known of it.
        timeout: Seconds that it has to answer; None for no limit.
        interval: Seconds between two attempts to connect, and between two looks at the workers.
        workers_wanted: Tells whether anybody looks at the workers.
        changed: Called when something is to be shown at once.
    """

    def __init__(
        self,
        address: ServerAddress,
        state: ServerState,
        timeout: float | None,
        interval: float,
        workers_wanted: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self._address = address
        self._state = state
        self._timeout = timeout
        self._interval = interval
        self._workers_wanted = workers_wanted
        self._changed = changed

    async def run(self) -> None:
        """Go on until it is cancelled."""
        while True:
            self._asked = 0
            client = client_of(self._address)
            try:
                await self._look(client)
            except (GearmanError, OSError) as error:
                # What names the server is left out: the screen does so.
                text = describe(error).removeprefix("cannot connect to ")
                self._state.lost(text.removeprefix(f"{self._address}: "))
                self._changed()
            finally:
                await client.close()
            await asyncio.sleep(self._interval)

    async def _functions(self, client: AsyncAdminClient) -> list[FunctionState]:
        """Ask for all that there is to know, or else for what the server knows how to tell."""
        while True:
            try:
                return [FunctionState.of(row) for row in await _QUESTIONS[self._asked](client)]
            except ServerError:
                if self._asked == len(_QUESTIONS) - 1:
                    raise
                self._asked += 1

    def _limit(self) -> within:
        return within(Deadline(self._timeout), "no answer")

    async def _look(self, client: AsyncAdminClient) -> None:
        state = self._state
        async with self._limit():
            await client.connect()
            state.connected(await client.version())
        workers_due = 0.0
        self._changed()
        while True:
            state.asked = time.monotonic()
            async with self._limit():
                rows = await self._functions(client)
            now = time.monotonic()
            state.answered(rows, now)
            if self._workers_wanted() and now >= workers_due:
                async with self._limit():
                    state.workers = [row for row in await client.workers() if row.functions]
                workers_due = now + self._interval
            await asyncio.sleep(max(1 / LOOKS, SHARE * state.seconds))


class Live:
    """The view in a terminal.

    Args:
        servers: Whom to watch.
        timeout: Seconds that each has to answer; None for no limit.
        interval: Seconds between two drawings of the screen.
    """

    def __init__(
        self, servers: Sequence[ServerAddress], timeout: float | None, interval: float
    ) -> None:
        self._view = View()
        self._board = Board(map(format_server, servers))
        self._console = Console(highlight=False)
        self._screen = Screen(self._console, self._board, self._view)
        self._interval = interval
        self._changed = asyncio.Event()
        self._code: int = Exit.OK
        self._watches = [
            Watch(address, state, timeout, interval, self._shows_workers, self._changed.set)
            for address, state in zip(servers, self._board.servers, strict=True)
        ]

    def _shows_workers(self) -> bool:
        return self._view.sheet.name == "workers"

    async def run(self) -> int:
        """Show it until it is ended; returns the exit code."""
        with Terminal(sys.stdin.fileno(), sys.stdout) as terminal, self._listening(terminal):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(watch.run()) for watch in self._watches]
                await self._draw_on(terminal)
                for task in tasks:
                    task.cancel()
        return self._code

    async def _draw_on(self, terminal: Terminal) -> None:
        while not self._view.ended:
            self._changed.clear()
            # As it is now, and not as variables of the environment once said.
            columns, lines = os.get_terminal_size(sys.stdout.fileno())
            self._console.size = columns or 80, lines or 24
            terminal.draw(self._screen.lines(time.monotonic()))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._interval)

    @contextlib.contextmanager
    def _listening(self, terminal: Terminal) -> Iterator[None]:
        """Hear keys and signals."""
        loop = asyncio.get_running_loop()
        keys = sys.stdin.fileno()
        loop.add_reader(keys, self._read, terminal)
        for number in _ENDS:
            loop.add_signal_handler(number, self._end, 128 + number)
        loop.add_signal_handler(signal.SIGWINCH, self._changed.set)
        loop.add_signal_handler(signal.SIGTSTP, self._pause, terminal)
        try:
            yield
        finally:
            loop.remove_reader(keys)
            for number in (*_ENDS, signal.SIGWINCH, signal.SIGTSTP):
                loop.remove_signal_handler(number)

    def _read(self, terminal: Terminal) -> None:
        try:
            data = terminal.read()
        except OSError:  # it is gone, too
            data = b""
        if not data:
            self._end(128 + signal.SIGHUP)
        for key in keys_of(data):
            self._view.press(key, self._screen.room(time.monotonic()))
        self._changed.set()

    def _end(self, code: int) -> None:
        self._code = code
        self._view.ended = True
        self._changed.set()

    def _pause(self, terminal: Terminal) -> None:
        """Stop as any program does on Ctrl-Z, with the terminal as it was, and go on after it."""
        loop = asyncio.get_running_loop()
        terminal.give_back()
        loop.remove_signal_handler(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGTSTP)
        loop.add_signal_handler(signal.SIGTSTP, self._pause, terminal)
        terminal.take()
        self._changed.set()


def show(servers: Sequence[ServerAddress], timeout: float | None, interval: float) -> int:
    """Show servers until somebody ends it; returns the exit code.

    Args:
        servers: Whom to watch.
        timeout: Seconds that each has to answer; None for no limit.
        interval: Seconds between two drawings of the screen.

    Raises:
        ConfigurationError: The files of TLS cannot be used.
    """
    for server in servers:
        server.tls_context()  # what is wrong with its files will not become right
    # A log line would be written across the screen.
    logging.disable()
    try:
        return asyncio.run(_run(servers, timeout, interval))
    finally:
        logging.disable(logging.NOTSET)


async def _run(servers: Sequence[ServerAddress], timeout: float | None, interval: float) -> int:
    return await Live(servers, timeout, interval).run()
