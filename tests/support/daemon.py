"""A server's program that a test starts: geard, gearmand, or what another project made."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

from support.certificates import Files
from support.fix_peers import START_TIMEOUT, free_port


class Server(Protocol):
    """A server that runs."""

    host: str
    port: int


class Daemon:
    """A server's program on the loopback interface.

    Args:
        command: The command line, with ``{port}`` for the port.
        log: The file for what it writes.
        port: The port; None for a free one.
    """

    def __init__(self, command: list[str], log: Path, port: int | None = None) -> None:
        self.host = "127.0.0.1"
        for _ in range(5):
            self.port = port or free_port()
            with log.open("ab") as output:
                self.process = subprocess.Popen(
                    [word.format(port=self.port) for word in command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
            if self._listens():
                return
            self.stop()
        raise RuntimeError(f"{command[:3]} does not start: {log.read_text()}")

    def _listens(self) -> bool:
        deadline = time.monotonic() + START_TIMEOUT
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.accepts():
                return True
            time.sleep(0.01)  # another program's start has no event to wait for
        return False

    def accepts(self) -> bool:
        """Tell whether it accepts connections."""
        try:
            socket.create_connection((self.host, self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Interrupt it, and wait until it has left."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGINT)
        self.process.wait()


LISTEN = ("-d", "-p", "{port}", "--listen-address", "127.0.0.1")
"""What both geards, today's and 0.16's, are told at their start."""


def start_geard(directory: Path, *options: str, port: int | None = None) -> Daemon:
    """Start geard, the program, as an operator does."""
    command = [sys.executable, "-m", "gear_server.geard.cli", *LISTEN, *options]
    return Daemon(command, directory / "geard.log", port)


def tls_options(files: Files) -> list[str]:
    """Return the options of both geards for TLS."""
    return ["--ssl-key", files.key, "--ssl-cert", files.cert, "--ssl-ca", files.ca]
