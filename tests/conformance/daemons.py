"""The servers that hold the conversations: geard and Debian's gearmand, as programs."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from peers import free_port, require_program

HOST: Final = "127.0.0.1"
START_TIMEOUT: Final = 20.0


class Server(ABC):
    """A running server; started anew on another port when a port is taken meanwhile.

    Attributes:
        kind: Which of the two it is.
        host: Where it listens.
        port: Its port there.
        process: The program.
    """

    kind: str

    def __init__(self, directory: Path, *options: str) -> None:
        self.host = HOST
        for _ in range(5):
            self.port = free_port()
            with (directory / f"{self.kind}.{self.port}").open("wb") as output:
                self.process = subprocess.Popen(
                    [*self.command(directory), *options],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            if self._listens():
                return
            self.stop()
        raise RuntimeError(f"{self.kind} does not start: see {output.name}")

    @abstractmethod
    def command(self, directory: Path) -> list[str]:
        """Return the command line that listens on host and port."""

    def _listens(self) -> bool:
        deadline = time.monotonic() + START_TIMEOUT
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.accepts():
                return True
            time.sleep(0.01)  # another program's start has no event to wait for
        return False

    def accepts(self) -> bool:
        """Whether it accepts connections."""
        try:
            socket.create_connection((self.host, self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Geard(Server):
    """Our own server."""

    kind = "geard"

    def command(self, directory: Path) -> list[str]:
        program = [sys.executable, "-m", "gear_server.geard.cli"]
        return [*program, "-d", "--listen-address", self.host, "-p", str(self.port)]


class Gearmand(Server):
    """The C server, version 1.1.20."""

    kind = "gearmand"

    def command(self, directory: Path) -> list[str]:
        program = require_program("gearmand", "gearman-job-server")
        files = ["-l", os.devnull, "-P", str(directory / f"{self.port}.pid")]
        return [program, "-L", self.host, "-p", str(self.port), *files]


KINDS: Final[dict[str, type[Server]]] = {kind.kind: kind for kind in (Geard, Gearmand)}


class Servers:
    """Servers by kind and options, each started when it is first needed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[tuple[str, ...], Server] = {}

    @contextlib.contextmanager
    def borrow(self, kind: str, options: tuple[str, ...], alone: bool) -> Iterator[Server]:
        """Give a server that others use too, or one that is stopped afterwards."""
        if alone:
            server = KINDS[kind](self._directory, *options)
            try:
                yield server
            finally:
                server.stop()
            return
        key = (kind, *options)
        if key not in self._running:
            self._running[key] = KINDS[kind](self._directory, *options)
        yield self._running[key]

    def stop(self) -> None:
        for server in self._running.values():
            server.stop()
