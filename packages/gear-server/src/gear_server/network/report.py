"""What a server reports to statsd: its own numbers, and those of its functions, in portions."""

import asyncio
import operator
import re
import threading
import time
from collections.abc import Iterator
from itertools import chain
from typing import Final

import msgspec

from gear_server.engine.engine import Engine
from gear_server.engine.numbers import (
    FUNCTION_KEYS,
    GAUGES,
    FunctionNumbers,
    forgotten,
    portions,
    server_counters,
    server_gauges,
)
from gear_server.engine.state import Function
from gear_server.network.server import AsyncServer
from gear_server.network.statsd import INTERVAL, Statsd

PORTION: Final = 32
"""Functions that are reported at once: in a millisecond or so, if all of them are new."""
SHARE: Final = 50
"""For so many times as long as a look at all functions took, there is no other one."""
_OTHERS: Final = "other_functions"
_NOT_IN_KEYS: Final = re.compile(r"[^A-Za-z0-9_-]")

Numbers = tuple[int, ...]
"""The numbers of a function, in the order of `FUNCTION_KEYS`; gauges come first."""

_NOTHING: Final = (0,) * len(FUNCTION_KEYS)
_OLDEST: Final = FUNCTION_KEYS.index("oldest_ms")


def key_of(name: bytes) -> str:
    """Return the beginning of a function's keys; what means something to statsd becomes ``_``."""
    return f"function.{_NOT_IN_KEYS.sub('_', name.decode(errors='replace'))}"


def _changes(key: str, before: Numbers, after: Numbers) -> Iterator[str]:
    """Yield a line for each number that has changed."""
    for place, (old, new) in enumerate(zip(before, after, strict=True)):
        if new != old:
            kind, value = ("g", new) if place < len(GAUGES) else ("c", new - old)
            yield f"{key}.{FUNCTION_KEYS[place]}:{value}|{kind}"


def _together(some: Numbers, more: Numbers) -> Numbers:
    """Return the sums of numbers; of the oldest jobs, the older one counts."""
    both = list(map(operator.add, some, more))
    both[_OLDEST] = max(some[_OLDEST], more[_OLDEST])
    return tuple(both)


class _Named(msgspec.Struct):
    """A function that is reported under its own name.

    Attributes:
        function: The function; another one of that name begins anew.
        key: The beginning of its keys.
        reported: Its numbers in the last report.
    """

    function: Function
    key: str
    reported: Numbers = _NOTHING


class FunctionReport:
    """Finds out what has changed of functions.

    What counts up is reported as what it has grown by. All of that adds up to what the server has
    counted, where functions come and go, too: what one had that was forgotten before it was
    reported is reported with the others.

    Args:
        most: How many functions are reported under their own names, those seen first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._named: dict[bytes, _Named] = {}
        self._keys: set[str] = set()
        self._by_name: Numbers = _NOTHING  # what has been reported under names in all
        self._others: Numbers = _NOTHING

    def look(self, engine: Engine, lock: threading.RLock) -> Iterator[list[str]]:
        """Yield the lines of each portion of the functions, without their prefix."""
        with lock:
            functions = list(engine.queues.functions.values())
            everything: Numbers = msgspec.structs.astuple(forgotten(engine))
        yield self._leave({function.name: function for function in functions})
        others = _NOTHING
        for portion in portions(functions, PORTION):
            lines: list[str] = []
            with lock:
                now = time.monotonic()
                for function in portion:
                    numbers = msgspec.structs.astuple(FunctionNumbers.of(function, now))
                    everything = _together(everything, numbers)
                    named = self._name(function)
                    if named is None:
                        others = _together(others, numbers)
                    elif numbers != named.reported:
                        lines += self._change(named, numbers)
            yield lines
        unnamed = map(operator.sub, everything, self._by_name)
        after = others[: len(GAUGES)] + tuple(unnamed)[len(GAUGES) :]
        lines = list(_changes(_OTHERS, self._others, after))
        self._others = after
        yield lines

    def _name(self, function: Function) -> _Named | None:
        """Return what is known of a function with a name of its own; None if it has none."""
        named = self._named.get(function.name)
        if named is None and len(self._named) < self._most:
            key = key_of(function.name)
            if key not in self._keys:
                self._keys.add(key)
                named = self._named[function.name] = _Named(function, key)
        return named

    def _change(self, named: _Named, numbers: Numbers) -> Iterator[str]:
        grown = map(operator.sub, numbers, named.reported)
        self._by_name = tuple(map(operator.add, self._by_name, grown))
        lines = _changes(named.key, named.reported, numbers)
        named.reported = numbers
        return lines

    def _leave(self, functions: dict[bytes, Function]) -> list[str]:
        """Set the gauges of functions to 0 that are not there any more."""
        lines: list[str] = []
        for name, named in list(self._named.items()):
            if functions.get(name) is not named.function:
                del self._named[name]
                self._keys.remove(named.key)
                counted = named.reported[len(GAUGES) :]
                lines += _changes(named.key, named.reported, _NOTHING[: len(GAUGES)] + counted)
        return lines


class Report:
    """Reports to statsd what has changed, a second after something has happened.

    The server's own numbers are sent at once, and those of its functions in portions, each in a
    turn of the loop of its own.

    Args:
        server: The server, on the running loop.
        statsd: Where to.
    """

    def __init__(self, server: AsyncServer, statsd: Statsd) -> None:
        self._server = server
        self._statsd = statsd
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._counters: dict[str, int] = {}
        self._functions = FunctionReport(server.settings.metrics_functions)
        self._look: Iterator[list[str]] = iter(())
        self._looking = False
        self._took = 0.0
        self._not_before = 0.0

    def schedule(self) -> None:
        """Have a report sent, unless one is scheduled."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_later(INTERVAL, self._send)

    def finish(self) -> None:
        """Send a last report at once."""
        self._report_server()
        for lines in chain(self._look, self._new_look()):
            self._statsd.send(lines)

    def _send(self) -> None:
        self._scheduled = False
        self._report_server()
        if self._looking or time.monotonic() < self._not_before:
            self.schedule()  # what has happened to functions is still to be reported
            return
        self._looking = True
        self._took = 0.0
        self._look = self._new_look()
        self._go_on()

    def _new_look(self) -> Iterator[list[str]]:
        return self._functions.look(self._server.engine, self._server.lock)

    def _go_on(self) -> None:
        """Report the next portion of the functions."""
        began = time.monotonic()
        lines = next(self._look, None)
        if lines:
            self._statsd.send(lines)
        now = time.monotonic()
        self._took += now - began
        if lines is not None:
            self._loop.call_soon(self._go_on)
            return
        self._looking = False
        self._not_before = now + SHARE * self._took
        if self._server.engine.queues.waiting:
            self.schedule()  # jobs grow older even if nothing happens

    def _report_server(self) -> None:
        statsd, server = self._statsd, self._server
        with server.lock:
            gauges, counters = server_gauges(server.engine), server_counters(server.engine)
        statsd.gauge("queue.total", gauges["jobs"])
        statsd.gauge("queue.running", gauges["running"])
        statsd.gauge("queue.waiting", gauges["queued"])
        if server.engine.ledger is not None:
            statsd.gauge("queue.stored", gauges["in_store"])
        for name, value in gauges.items():
            statsd.gauge(f"server.{name}", value)
        counters |= {
            "bytes_received": server.traffic.received,
            "bytes_sent": server.traffic.sent,
            "turns": server.turns,
            "turn_time_us": round(1_000_000 * server.turn_time),
        }
        for name, value in counters.items():
            grown = value - self._counters.get(name, 0)
            if grown:
                statsd.incr(f"server.{name}", grown)
        self._counters = counters
        statsd.flush()
