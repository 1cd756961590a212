"""``GET /metrics``: the server's numbers for Prometheus."""

import asyncio
import operator
import time
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from aiohttp import web
from prometheus_client.core import Metric

from gear_server.engine.state import Function
from gear_server.http.exposition import FORMATS, OPENMETRICS, choose, samples
from gear_server.http.families import FAMILIES, KEYS, Row, numbers
from gear_server.http.history import History
from gear_server.http.labels import OTHER, Labels
from gear_server.http.others import Others
from gear_server.http.snapshot import Snapshot
from gear_server.http.totals import totals
from gear_server.network.server import AsyncServer

SHARED: Final = 0.9
"""Seconds for which all are shown the same: less than a second, or some that ask each second would
see nothing new."""
NAMED: Final = 32
"""Functions with a name that are written at once, which takes some 400 microseconds."""
UNNAMED: Final = 256
"""Functions without one that are added up at once."""
KEPT: Final = 5.0
"""Seconds for which their sum is kept, if there are any: there may be a hundred thousand."""
PEERS: Final = 1024
"""Connections that are looked at at once."""
_ASLEEP: Final = KEYS.index("asleep") - 1
_TIMES: Final = KEYS.index("waited in all") - 1, KEYS.index("ran in all") - 1

_Item = TypeVar("_Item")
_Page = list[tuple[Metric, list[bytes]]]


def _parts(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Metrics:
    """All metrics, written in pieces between which jobs go on.

    Args:
        network: The job server; its loop is running, and calls this.
        snapshot: Reads the numbers of the server as a whole.
        history: Knows how late the loop was.
        most: How many functions are shown by name.
    """

    def __init__(
        self, network: AsyncServer, snapshot: Snapshot, history: History, most: int
    ) -> None:
        self._engine = network.engine
        self._lock = network.lock
        self._snapshot = snapshot
        self._history = history
        self._labels = Labels(most)
        self._times = dict.fromkeys(_TIMES, 0.0)
        self._other: Row = ()
        self._other_at = 0.0
        self._started = time.time()
        self._page: asyncio.Task[_Page] | None = None
        self._begun = 0.0

    async def write(self, *, as_openmetrics: bool) -> bytes:
        """Return all metrics in one of the two formats; the same ones to all within a second."""
        page = self._page
        if page is None or (page.done() and time.monotonic() - self._begun >= SHARED):
            self._begun = time.monotonic()
            page = self._page = asyncio.create_task(self._write())
        # Others may wait for it too, when the one for whom it was begun has left.
        metrics = await asyncio.shield(page)
        form = FORMATS[as_openmetrics]
        parts = [part for metric, lines in metrics for part in (form.header(metric), *lines)]
        return b"".join([*parts, form.end])

    async def close(self) -> None:
        """Write nothing any more."""
        if self._page is not None:
            self._page.cancel()
            await asyncio.gather(self._page, return_exceptions=True)

    async def _write(self) -> _Page:
        lines = await self._write_functions()
        server = await self._snapshot.server()
        metrics = totals(server, self._history, self._started)
        page: _Page = [(metric, [samples(metric)]) for metric in metrics]
        return page + [(family.metric, lines[family.metric.name]) for family in FAMILIES]

    async def _write_functions(self) -> dict[str, list[bytes]]:
        labels = self._labels
        if not labels.others or time.monotonic() - self._other_at >= KEPT:
            await self._look_again()
        lines: dict[str, list[bytes]] = {family.metric.name: [] for family in FAMILIES}
        for few in _parts([*labels.names.items()], NAMED):
            await asyncio.sleep(0)
            self._write_rows(self._rows(few), lines)
        self._write_rows([self._other], lines)
        return lines

    async def _look_again(self) -> None:
        """See which functions there are, and add up those without a name."""
        labels, others = self._labels, Others()
        with self._lock:
            queues = self._engine.queues
            labels.update(queues.functions)
            # At once, so that a function that is forgotten meanwhile is counted, and not twice.
            others.function.tally.add(queues.forgotten)
            unnamed = [*labels.others]
        for many in _parts(unnamed, UNNAMED):
            await asyncio.sleep(0)
            with self._lock:
                others.add(many)
        asleep = await self._asleep() if unnamed else 0
        self._other = self._row_of(others.function, asleep)
        self._other_at = time.monotonic()

    def _rows(self, functions: Sequence[tuple[Function, str]]) -> list[Row]:
        with self._lock:
            now = time.monotonic()
            return [(name, *numbers(function, now)) for function, name in functions]

    def _write_rows(self, rows: list[Row], lines: dict[str, list[bytes]]) -> None:
        for family in FAMILIES:
            lines[family.metric.name].append(family.write(rows))

    async def _asleep(self) -> int:
        """Return for how many functions without a name workers sleep, each counting its own."""
        with self._lock:
            peers = list(self._engine.peers)
        asleep = 0
        for many in _parts(peers, PEERS):
            await asyncio.sleep(0)
            with self._lock:
                asleep += sum(len(peer.abilities) for peer in many if peer.sleeping)
        with self._lock:
            return max(0, asleep - sum(function.asleep() for function in self._labels.names))

    def _row_of(self, others: Function, asleep: int) -> Row:
        """Return the row of functions without a name, without what had one and is forgotten."""
        retired = Function(b"")
        retired.tally = self._labels.retired
        now = time.monotonic()
        with self._lock:
            values = [*map(operator.sub, numbers(others, now), numbers(retired, now))]
        values[_ASLEEP] = asleep
        for place in _TIMES:
            # Sums of fractions depend on their order, and must not become less.
            values[place] = self._times[place] = max(self._times[place], values[place])
        return (OTHER, *values)


METRICS: Final = web.AppKey("metrics", Metrics)


async def _metrics(request: web.Request) -> web.Response:
    """Answer with all metrics, in the format that the header Accept asks for."""
    content_type = choose(",".join(request.headers.getall("Accept", ())))
    as_openmetrics = content_type.startswith(OPENMETRICS)
    body = await request.app[METRICS].write(as_openmetrics=as_openmetrics)
    return web.Response(body=body, headers={"Content-Type": content_type, "Vary": "Accept"})


ROUTES: Final = [web.get("/metrics", _metrics)]
