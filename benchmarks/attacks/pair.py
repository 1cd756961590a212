"""The innocent pair: one client, one worker, in a process of their own; also the neighbours.

It runs jobs one after another, some in flight, each with another payload, which the worker
reverses. It takes orders from its standard input, a line each: ``begin`` starts to count, ``end``
prints what was counted since, and at its end the pair waits for what is in flight, prints what
became of all, and ends.
"""

import argparse
import collections
import json
import os
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.attacks.packets import Kind, Splitter, packet
from benchmarks.servers import HOST, TLSFiles

CHUNK = 1 << 18
LAST_WAIT = 20.0
"""Seconds after which a job that has no answer is lost."""
RETRY = 0.005
"""Seconds until a job is submitted again that the server refused, such as for lack of room."""


class Line:
    """A connection that is read when there is something, and written at once.

    Raises:
        OSError: The server does not accept it.
    """

    def __init__(self, port: int, tls: TLSFiles | None) -> None:
        self.socket = socket.create_connection((HOST, port), LAST_WAIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            context = ssl.create_default_context(cafile=str(tls.ca))
            context.load_cert_chain(tls.cert, tls.key)
            self.socket = context.wrap_socket(self.socket, server_hostname=HOST)
        self._splitter = Splitter()

    def send(self, data: bytes) -> None:
        """Send all of the bytes: the pair has so little in flight that they always fit."""
        self.socket.settimeout(LAST_WAIT)
        self.socket.sendall(data)

    def packets(self) -> list[tuple[int, bytes]]:
        """Return the packets that are here.

        Raises:
            OSError: The server closed the connection.
        """
        self.socket.settimeout(0)
        found: list[tuple[int, bytes]] = []
        while True:
            try:
                data = self.socket.recv(CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                return found
            if not data:
                raise ConnectionResetError("the server closed the connection")
            found += self._splitter.feed(data)
            if not isinstance(self.socket, ssl.SSLSocket):
                return found


class Pair:
    """A client and a worker, with some jobs in flight."""

    def __init__(self, function: bytes, in_flight: int, client: Line, worker: Line) -> None:
        self._function = function
        self._client = client
        self._worker = worker
        self._number = 0
        self._uncreated: collections.deque[int] = collections.deque()
        self._running: dict[bytes, int] = {}
        self._sent: dict[int, float] = {}
        self._retries: collections.deque[tuple[float, int]] = collections.deque()
        self._ending = False
        self._since = time.monotonic()
        self._worst = 0.0
        self._jobs = self._total = 0
        self._wrong = 0
        self._failed = 0
        self._refused = 0
        self.in_flight = in_flight

    def start(self) -> None:
        """Register the worker and submit the first jobs."""
        self._worker.send(packet(Kind.CAN_DO, self._function) + packet(Kind.GRAB_JOB))
        self._client.send(b"".join(self._submit() for _ in range(self.in_flight)))

    def _submit(self, number: int | None = None) -> bytes:
        if number is None:
            number = self._number
            self._number += 1
            self._sent[number] = time.monotonic()
        self._uncreated.append(number)
        return packet(Kind.SUBMIT_JOB, self._function, b"", b"%064d" % number)

    def answers(self) -> None:
        """Take what the client was sent."""
        said = b""
        for kind, body in self._client.packets():
            if kind == Kind.JOB_CREATED:
                self._running[body] = self._uncreated.popleft()
            elif kind == Kind.ERROR:
                self._refused += 1
                self._retries.append((time.monotonic() + RETRY, self._uncreated.popleft()))
            else:
                said += self._ended(kind, body)
        if said:
            self._client.send(said)

    def _ended(self, kind: int, body: bytes) -> bytes:
        handle, _, result = body.partition(b"\0")
        number = self._running.pop(handle, None)
        if number is None:
            self._wrong += 1
            return b""
        wait = time.monotonic() - self._sent.pop(number)
        self._worst = max(self._worst, wait)
        if kind == Kind.WORK_COMPLETE:
            self._wrong += result != (b"%064d" % number)[::-1]
        else:
            self._failed += 1
        self._jobs += 1
        self._total += 1
        return b"" if self._ending else self._submit()

    def work(self) -> None:
        """Take what the worker was sent."""
        said = b""
        for kind, body in self._worker.packets():
            if kind == Kind.JOB_ASSIGN:
                handle, _, data = body.split(b"\0", 2)
                said += packet(Kind.WORK_COMPLETE, handle, data[::-1]) + packet(Kind.GRAB_JOB)
            elif kind == Kind.NO_JOB:
                said += packet(Kind.PRE_SLEEP)
            elif kind == Kind.NOOP:
                said += packet(Kind.GRAB_JOB)
        if said:
            self._worker.send(said)

    def order(self, line: str) -> None:
        """Do what a line of the standard input says."""
        now = time.monotonic()
        if line == "begin":
            self._begin(now)
        elif line == "end":
            oldest = min(self._sent.values(), default=now)
            self._say(
                jobs=self._jobs, seconds=now - self._since, worst=max(self._worst, now - oldest)
            )
        else:
            raise ValueError(f"no such order: {line!r}")

    def _begin(self, now: float) -> None:
        self._jobs = 0
        self._worst = 0.0
        self._since = now

    def _say(self, **figures: float) -> None:
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()

    def run(self) -> None:
        """Run jobs until the standard input ends and no job is in flight any more."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._client.socket, selectors.EVENT_READ, self.answers)
            selector.register(self._worker.socket, selectors.EVENT_READ, self.work)
            selector.register(sys.stdin, selectors.EVENT_READ, self._orders)
            end = None
            while end is None or (self._sent and time.monotonic() < end):
                for key, _ in selector.select(RETRY if self._retries or self._ending else None):
                    act: Callable[[], None] = key.data
                    act()
                self._retry()
                if self._ending and end is None:
                    selector.unregister(sys.stdin)
                    end = time.monotonic() + LAST_WAIT

    def _orders(self) -> None:
        # Read past Python's buffer, which the selector does not know of.
        said = os.read(sys.stdin.fileno(), 4096).decode()
        self._ending = not said
        for line in said.splitlines():
            self.order(line)

    def _retry(self) -> None:
        while self._retries and self._retries[0][0] <= time.monotonic():
            self._client.send(self._submit(self._retries.popleft()[1]))

    def report(self) -> None:
        """Print what became of all jobs."""
        self._say(
            total=self._total,
            lost=len(self._sent) + self._failed,
            wrong=self._wrong,
            refused=self._refused,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a pair; returns the exit code: 1 when the server broke off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("function")
    parser.add_argument("in_flight", type=int)
    parser.add_argument("tls", nargs="*", type=Path, help="files: authority, certificate, key")
    options = parser.parse_args(arguments)
    tls = TLSFiles(*options.tls) if options.tls else None
    client, worker = Line(options.port, tls), Line(options.port, tls)
    pair = Pair(options.function.encode(), options.in_flight, client, worker)
    pair.start()
    try:
        pair.run()
    except OSError as error:
        sys.stderr.write(f"the pair's connection broke: {error}\n")
        return 1
    finally:
        pair.report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
