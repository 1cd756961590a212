"""Who watches a server over HTTP: three open pages, and Prometheus, which scrapes each second.

Run as a program, with the server's HTTP port; when its standard input ends, it prints what came.
"""

import contextlib
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.servers import HOST

PAGES = 3
EVENTS = "/api/v1/events"
METRICS = "/metrics"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
INTERVAL = 1.0
"""Seconds between two scrapes."""
PATIENCE = 30.0
ENOUGH = 1 << 16


class WatchError(Exception):
    """The server did not show what it should."""


@dataclass
class Seen:
    """What the watchers saw.

    Attributes:
        events: How many events each page got.
        scrapes: Milliseconds that each scrape took.
        size: Bytes of the last scrape.
    """

    events: list[int] = field(default_factory=lambda: [0] * PAGES)
    scrapes: list[float] = field(default_factory=list)
    size: int = 0

    @property
    def scrape(self) -> float:
        """The median of the scrapes, in milliseconds."""
        return statistics.median(self.scrapes)


def _read_events(port: int, page: int, seen: Seen) -> None:
    """Read events as a page does, until the server or this program ends."""
    with socket.create_connection((HOST, port), PATIENCE) as sock:
        sock.sendall(f"GET {EVENTS} HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode())
        while data := sock.recv(ENOUGH):
            seen.events[page] += data.count(b"event: functions")


def _scrape(port: int, seen: Seen, ended: threading.Event) -> None:
    connection = HTTPConnection(HOST, port, timeout=PATIENCE)
    with contextlib.closing(connection):
        while not ended.is_set():
            began = time.monotonic()
            connection.request("GET", METRICS, headers={"Accept": OPEN_METRICS})
            answer = connection.getresponse()
            seen.size = len(answer.read())
            seen.scrapes.append(1000 * (time.monotonic() - began))
            ended.wait(INTERVAL - (time.monotonic() - began))


def main() -> None:
    """Watch until standard input ends, and print what was seen as JSON."""
    port = int(sys.argv[1])
    seen, ended = Seen(), threading.Event()
    for page in range(PAGES):
        threading.Thread(target=_read_events, args=(port, page, seen), daemon=True).start()
    scraper = threading.Thread(target=_scrape, args=(port, seen, ended))
    scraper.start()
    sys.stdin.read()
    ended.set()
    scraper.join()
    json.dump({"events": seen.events, "scrapes": seen.scrapes, "size": seen.size}, sys.stdout)


@contextlib.contextmanager
def watching(port: int) -> Iterator[Seen]:
    """Watch a server; what was seen is there at the end.

    Raises:
        WatchError: A page got no event, or nothing was scraped.
    """
    seen = Seen()
    watchers = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.watchers", str(port)],
        cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield seen
        told, _ = watchers.communicate(timeout=PATIENCE)
    finally:
        watchers.kill()
    found = json.loads(told or "{}")
    seen.events, seen.scrapes = found.get("events", [0]), found.get("scrapes", [])
    seen.size = found.get("size", 0)
    if not (all(seen.events) and seen.scrapes):
        raise WatchError(f"{seen.events} events came, and {len(seen.scrapes)} scrapes")


if __name__ == "__main__":
    main()
