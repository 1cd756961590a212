"""The servers that hold the conversations: geard and Debian's gearmand, as programs."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from support.daemon import LISTEN, Daemon
from support.fix_peers import require_program

HOST: Final = "127.0.0.1"


def _geard(directory: Path) -> list[str]:
    return [sys.executable, "-m", "gear_server.geard.cli", *LISTEN]


def _gearmand(directory: Path) -> list[str]:
    program = require_program("gearmand", "gearman-job-server")
    files = ["-l", os.devnull, "-P", str(directory / "{port}.pid")]
    return [program, "-L", HOST, "-p", "{port}", *files]


KINDS: Final[dict[str, Callable[[Path], list[str]]]] = {"geard": _geard, "gearmand": _gearmand}
"""The command line of each server."""


class Server:
    """A running server.

    Attributes:
        kind: Which of the two it is.
        host: Where it listens.
        port: Its port there.
        process: The program.
    """

    def __init__(self, kind: str, directory: Path, *options: str) -> None:
        command = [*KINDS[kind](directory), *options]
        self.kind = kind
        self._daemon = Daemon(command, directory / f"{kind}.log")
        self.host, self.port = self._daemon.host, self._daemon.port
        self.process = self._daemon.process

    def accepts(self) -> bool:
        """Whether it accepts connections."""
        return self._daemon.accepts()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Servers:
    """Servers by kind and options, each started when it is first needed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[tuple[str, ...], Server] = {}

    @contextlib.contextmanager
    def borrow(self, kind: str, options: tuple[str, ...], alone: bool) -> Iterator[Server]:
        """Give a server that others use too, or one that is stopped afterwards."""
        if alone:
            server = Server(kind, self._directory, *options)
            try:
                yield server
            finally:
                server.stop()
            return
        key = (kind, *options)
        if key not in self._running:
            self._running[key] = Server(kind, self._directory, *options)
        yield self._running[key]

    def stop(self) -> None:
        for server in self._running.values():
            server.stop()
