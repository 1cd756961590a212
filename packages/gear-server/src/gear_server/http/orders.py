"""How a job is asked for over HTTP: its function by the path, the rest by query or header."""

import datetime
import math
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from aiohttp import web

from gear_server.engine.engine import UNIQUE_SIZE
from gear_server.http.problems import ProblemError
from gear_wire.enums import PacketType, Precedence
from gear_wire.escape import quoted

MOST_PARAMETERS: Final = 32
LATEST: Final = 253_402_300_799
"""The last second of the year 9999."""
LONGEST: Final = 365 * 86400.0
_SWITCHES: Final = {"": True, "true": True, "1": True, "false": False, "0": False}
SUBMISSIONS: Final = {
    (False, Precedence.HIGH): PacketType.SUBMIT_JOB_HIGH,
    (False, Precedence.NORMAL): PacketType.SUBMIT_JOB,
    (False, Precedence.LOW): PacketType.SUBMIT_JOB_LOW,
    (True, Precedence.HIGH): PacketType.SUBMIT_JOB_HIGH_BG,
    (True, Precedence.NORMAL): PacketType.SUBMIT_JOB_BG,
    (True, Precedence.LOW): PacketType.SUBMIT_JOB_LOW_BG,
}
"""The packet for each submission, by whether it is one in the background, and its precedence."""


def to_bytes(text: str) -> bytes:
    """Return the bytes that a part of a request was, whether they are UTF-8 or not."""
    return text.encode(errors="surrogateescape")


def name_after(request: web.Request, prefix: str) -> bytes:
    """Return what the path of a request names, with its percent-escapes resolved.

    Args:
        request: The request.
        prefix: The beginning of the path, which is no part of the name.

    Raises:
        ProblemError: There is a NUL in it.
    """
    path = request.rel_url.raw_path.removeprefix(prefix)
    name = urllib.parse.unquote_to_bytes(to_bytes(path))
    if b"\0" in name:
        raise ProblemError(400, f"{quoted(name)} has a NUL (%00), and names have none")
    return name


def _read_switch(text: str) -> bool:
    return _SWITCHES[text.lower()]


def _read_unique(text: str) -> bytes:
    unique = to_bytes(text)
    if not 1 <= len(unique) <= UNIQUE_SIZE or b"\0" in unique:
        raise ValueError
    return unique


def _read_precedence(text: str) -> Precedence:
    return Precedence[text.upper()]


def _read_when(text: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        time = datetime.datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise
        seconds = time.timestamp()
    if not 0 <= seconds <= LATEST:
        raise ValueError
    return math.ceil(seconds)


def _read_timeout(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= LONGEST:
        raise ValueError
    return seconds


class Parameter(msgspec.Struct, frozen=True):
    """One of the things that may be asked for.

    Attributes:
        header: The header that asks for it, unless the query does.
        read: Returns its value; raises ValueError or LookupError if that is none.
        right: What its value may be.
    """

    header: str
    read: Callable[[str], object]
    right: str


PARAMETERS: Final = {
    "background": Parameter("X-Gearman-Background", _read_switch, "true or false"),
    "unique": Parameter(
        "X-Gearman-Unique", _read_unique, f"1 to {UNIQUE_SIZE} bytes without a NUL"
    ),
    "precedence": Parameter("X-Gearman-Priority", _read_precedence, "high, normal or low"),
    "when": Parameter(
        "X-Gearman-When",
        _read_when,
        "seconds since 1970, or a time with its zone, such as 2030-01-31T12:00:00Z (in a query, "
        "a plus is written %2B)",
    ),
    "timeout": Parameter(
        "X-Gearman-Timeout", _read_timeout, "a number of seconds, more than 0 and at most a year"
    ),
}
"""What a query may hold, by name."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """How a job is to be done.

    Attributes:
        background: Whether nobody waits for its result.
        unique: Its unique; empty for none.
        precedence: Its precedence.
        when: When it may run, in seconds since 1970; 0 for at once.
        timeout: Seconds after which it is given up; None for no limit.
    """

    background: bool = False
    unique: bytes = b""
    precedence: Precedence = Precedence.NORMAL
    when: int = 0
    timeout: float | None = None

    def submission(self, function: bytes) -> tuple[PacketType, bytes]:
        """Return the packet that submits the job, as its type and its arguments up to the payload.

        Args:
            function: The name of the function.
        """
        if self.when:
            return PacketType.SUBMIT_JOB_EPOCH, b"%b\0%b\0%d\0" % (function, self.unique, self.when)
        return SUBMISSIONS[self.background, self.precedence], b"%b\0%b\0" % (function, self.unique)


def _given(request: web.Request) -> Iterator[tuple[str, str, str]]:
    """Give what the query and the headers ask for: which parameter, as it is written, its value."""
    query = request.rel_url.raw_query_string
    try:
        pairs = urllib.parse.parse_qsl(
            query,
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError:
        raise ProblemError(400, f"a query has at most {MOST_PARAMETERS} parameters") from None
    for name, value in pairs:
        if name not in PARAMETERS:
            known = ", ".join(PARAMETERS)
            raise ProblemError(
                400, f"there is no parameter {quoted(to_bytes(name))}: there are {known}"
            )
        yield name, name, value
    for name, parameter in PARAMETERS.items():
        for value in request.headers.getall(parameter.header, ()):
            yield name, parameter.header, value


def read_order(request: web.Request) -> Order:
    """Return how a request asks for a job.

    Raises:
        ProblemError: Something that it asks for is wrong, unknown or there twice.
    """
    values: dict[str, object] = {}
    for name, written, text in _given(request):
        if name in values:
            raise ProblemError(400, f"{name} is given twice")
        parameter = PARAMETERS[name]
        try:
            values[name] = parameter.read(text)
        except (ValueError, LookupError, OverflowError):
            raise ProblemError(
                400, f"{written} is {parameter.right}, not {quoted(to_bytes(text))[1:]}"
            ) from None
    if "when" in values:
        # A job for later is always one in the background, and of normal precedence.
        if not values.setdefault("background", True):
            raise ProblemError(400, "a job with a time (when) is done in the background")
        if values.get("precedence", Precedence.NORMAL) is not Precedence.NORMAL:
            raise ProblemError(400, "a job with a time (when) has normal precedence")
    if values.get("background") and "timeout" in values:
        raise ProblemError(400, "a timeout is for a job whose result is waited for")
    return msgspec.convert(values, Order)
