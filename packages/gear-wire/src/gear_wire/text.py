"""The administrative protocol's commands and replies as typed rows; connections are elsewhere."""

import logging
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from gear_wire.errors import InvalidDataError, ServerError
from gear_wire.escape import quoted
from gear_wire.number import to_number
from gear_wire.types import ClientID, FunctionName, Handle, UniqueKey

END: Final = b"."
"""The line that ends a reply of several lines."""
MAX_REPLY_SIZE: Final = 1 << 28
"""The longest reply taken in unless told otherwise, in bytes; a million jobs have a tenth of it."""

Row = TypeVar("Row")
_log = logging.getLogger("gear.AdminRequest")


class FunctionStatus(msgspec.Struct, frozen=True):
    """A line of ``status``: a function, its jobs, and the workers that can do it."""

    function: FunctionName
    total: int
    running: int
    workers: int


class FunctionActivity(msgspec.Struct, frozen=True):
    """A line of ``show functions``, which only `geard` and `Server` know.

    Attributes:
        function: The function.
        total: Its jobs.
        running: Those of them that workers have.
        workers: The workers that can do them.
        ended: How many jobs have ended, in whatever way, since the server knows the function.
        waiting: Milliseconds that the first of its queued jobs has waited; 0 without any.
    """

    function: FunctionName
    total: int
    running: int
    workers: int
    ended: int
    waiting: int


class FunctionCounters(msgspec.Struct, frozen=True):
    """A line of ``show counters``, which only `geard` and `Server` know.

    What a server does not tell is 0, and what is not known here is left out. The counters are those
    since the server knows the function.

    Attributes:
        function: The function.
        queued_high: Queued jobs of high precedence.
        queued_normal: Queued jobs of normal precedence.
        queued_low: Queued jobs of low precedence.
        scheduled: Jobs for later.
        aside: Stored jobs that are held back, since other servers may have taken them over.
        running: Jobs that workers have.
        workers: The workers that can do them.
        asleep: Those of them that sleep.
        oldest_ms: Milliseconds that the oldest of its queued jobs has waited; 0 without any.
        submitted: Jobs accepted, not counting submissions that joined one.
        joined: Submissions that joined a job with the same unique.
        started: How often a job was given to a worker.
        completed: Jobs that ended with a result.
        failed: Jobs that failed: their workers said so, or the server stopped while they ran.
        exhausted: Jobs that failed because no attempts were left.
        cancelled: Jobs cancelled by a text command.
        abandoned: Jobs discarded because no client waited for them any more.
        requeued: How often a job was taken from a worker and queued again.
        timed_out: How often a worker had a job for too long.
        refused: Submissions refused because of a limit, or since their job could not be stored.
        restored: Jobs that came from the store of the queue.
        moved: Stored jobs that other servers have taken over from this one.
        waited_ms: Milliseconds for which jobs waited until they were started, in all.
        ran_ms: Milliseconds for which jobs ran until they left their workers, in all.
    """

    function: FunctionName
    queued_high: int = 0
    queued_normal: int = 0
    queued_low: int = 0
    scheduled: int = 0
    aside: int = 0
    running: int = 0
    workers: int = 0
    asleep: int = 0
    oldest_ms: int = 0
    submitted: int = 0
    joined: int = 0
    started: int = 0
    completed: int = 0
    failed: int = 0
    exhausted: int = 0
    cancelled: int = 0
    abandoned: int = 0
    requeued: int = 0
    timed_out: int = 0
    refused: int = 0
    restored: int = 0
    moved: int = 0
    waited_ms: int = 0
    ran_ms: int = 0

    @property
    def queued(self) -> int:
        """Queued jobs of all precedences, without those for later."""
        return self.queued_high + self.queued_normal + self.queued_low

    @property
    def ended(self) -> int:
        """Jobs that have ended, in whatever way; a running one that was cancelled counts."""
        failed = self.failed + self.exhausted
        return self.completed + failed + self.cancelled + self.abandoned + self.moved

    @property
    def mean_wait(self) -> float | None:
        """Seconds that a job waited on average; None if none has been started."""
        return self.waited_ms / self.started / 1000 if self.started else None

    @property
    def mean_run(self) -> float | None:
        """Seconds that a job ran on average; None if none has left its worker."""
        runs = self.started - self.running
        return self.ran_ms / runs / 1000 if runs > 0 else None


_COUNTERS: Final = frozenset(FunctionCounters.__struct_fields__[1:])


class FunctionQueue(msgspec.Struct, frozen=True):
    """A line of ``prioritystatus``: a function's queued jobs by precedence, and its workers."""

    function: FunctionName
    high: int
    normal: int
    low: int
    workers: int


class ConnectionStatus(msgspec.Struct, frozen=True):
    """A line of ``workers``: a connection and the functions it registered."""

    descriptor: int
    address: str
    client_id: ClientID
    functions: tuple[FunctionName, ...]


class JobStatus(msgspec.Struct, frozen=True):
    """A line of ``show jobs``.

    Attributes:
        handle: The job handle.
        retries: How often the job was given to a worker and came back.
        ignored: Whether it was cancelled or its clients left.
        queued: Whether it is a background job.
    """

    handle: Handle
    retries: int
    ignored: bool
    queued: bool


class AccessEntry(msgspec.Struct, frozen=True):
    """A line of ``acl list``: what a subject may do.

    Attributes:
        subject: The common name of its certificate.
        register: Pattern of the functions that it may register; None for none.
        invoke: Pattern of the functions whose jobs it may submit; None for none.
        grant: Whether it may change the list.
        admin: Whether it may change what concerns all.
        see: Whether it may see what belongs to others.
    """

    subject: str
    register: str | None
    invoke: str | None
    grant: bool
    admin: bool = False
    see: bool = False


_ACCESS: Final = re.compile(
    rb"(.*)\tregister=(.*)\tinvoke=(.*)\tgrant=(\w+)(?:\tadmin=(\w+)\tsee=(\w+))?"
)


def command(verb: bytes, *arguments: bytes, end: bytes = b"\n") -> bytes:
    """Return a command line.

    Args:
        verb: The words that say what to do.
        arguments: What to do it to, a word each.
        end: What ends the line.

    Raises:
        InvalidDataError: An argument is empty or holds white space or a NUL, and would be read
            as another number of words.
    """
    for argument in arguments:
        if not argument or argument.split() != [argument] or b"\0" in argument:
            raise InvalidDataError(
                f"an argument of {verb.decode()!r} must be one word, not {argument!r}"
            )
    return b" ".join((verb, *arguments)) + end


def is_refusal(line: bytes) -> bool:
    """Tell whether the first line of a reply of several lines is an error in its place.

    The lines of such a reply may begin alike: with a function's name, or a unique. They end with a
    bare newline, gearmand's errors with CR LF.
    """
    return line.startswith(b"ERR ") and line.endswith(b"\r\n")


def is_access_refusal(line: bytes) -> bool:
    """Tell whether the first line of the reply to ``acl list`` is an error in its place.

    These errors end with a bare newline, as in gear 0.16; but they have no columns.
    """
    return line.startswith(b"ERR ") and b"\t" not in line


def parse_line(reply: bytes) -> bytes:
    """Return what a one-line reply says after its ``OK``.

    Raises:
        ServerError: The reply is an ``ERR`` line.
    """
    line = reply.rstrip(b"\r\n")
    if line.startswith(b"ERR"):
        raise _server_error(line[3:].strip().decode(errors="replace"))
    return line[2:].lstrip() if line == b"OK" or line.startswith(b"OK ") else line


def _server_error(message: str) -> ServerError:
    code, _, text = message.partition(" ")
    if code.isupper() or "_" in code:
        return ServerError(code, text.replace("+", " "))
    return ServerError(message, "")  # gearmand has errors in plain words, without a code


def parse_rows(reply: bytes, parse: Callable[[bytes], Row]) -> list[Row]:
    """Return the rows of a reply that ends with a line of one dot.

    A line that cannot be read is left out, with one warning for all of them: some servers let any
    client write into their tables, which would otherwise hide them from everybody.

    Args:
        reply: The whole reply.
        parse: Reads one line; raises InvalidDataError for one that it cannot read.

    Raises:
        ServerError: The reply is an ``ERR`` line.
        InvalidDataError: The reply does not end with a dot.
    """
    lines = reply.replace(b"\r\n", b"\n").split(b"\n")
    if len(lines) == 2 and lines[0].startswith(b"ERR"):
        parse_line(reply)
    if lines[-2:] != [END, b""]:
        raise InvalidDataError(f"the reply does not end with a dot: {reply[-80:]!r}")
    rows: list[Row] = []
    errors: list[InvalidDataError] = []
    for line in lines[:-2]:
        try:
            rows.append(parse(line))
        except InvalidDataError as error:
            errors = errors or [error]
    skipped = len(lines) - 2 - len(rows)
    if skipped:
        _log.warning("Skipped %d of %d rows of a reply: %s", skipped, len(lines) - 2, errors[0])
    return rows


def _columns(line: bytes, count: int) -> Sequence[bytes]:
    columns = line.rsplit(b"\t", count - 1)
    if len(columns) != count:
        raise InvalidDataError(f"expected {count} columns: {quoted(line)}")
    return columns


def _numbers(line: bytes, count: int) -> tuple[bytes, list[int]]:
    name, *numbers = _columns(line, count)
    try:
        return name, [to_number(number) for number in numbers]
    except InvalidDataError:
        raise InvalidDataError(f"expected numbers after the name: {quoted(line)}") from None


def parse_function_status(line: bytes) -> FunctionStatus:
    """Read a line of ``status``."""
    name, (total, running, workers) = _numbers(line, 4)
    return FunctionStatus(FunctionName(name), total, running, workers)


def parse_function_activity(line: bytes) -> FunctionActivity:
    """Read a line of ``show functions``."""
    name, (total, running, workers, ended, waiting) = _numbers(line, 6)
    return FunctionActivity(FunctionName(name), total, running, workers, ended, waiting)


def parse_function_counters(line: bytes) -> FunctionCounters:
    """Read a line of ``show counters``; keys that are not known are skipped."""
    name, *pairs = line.split(b"\t")
    told = {}
    for pair in pairs:
        key, separator, number = pair.partition(b"=")
        if not separator:
            raise InvalidDataError(f"expected key=value after the name: {quoted(line)}")
        if (field := key.decode(errors="replace")) in _COUNTERS:
            told[field] = _counter(number, line)
    return FunctionCounters(FunctionName(name), **told)


def _counter(number: bytes, line: bytes) -> int:
    try:
        return to_number(number)
    except InvalidDataError:
        raise InvalidDataError(f"expected a number: {quoted(line)}") from None


def parse_function_queue(line: bytes) -> FunctionQueue:
    """Read a line of ``prioritystatus``."""
    name, (high, normal, low, workers) = _numbers(line, 5)
    return FunctionQueue(FunctionName(name), high, normal, low, workers)


def parse_connection(line: bytes) -> ConnectionStatus:
    """Read a line of ``workers``, ``FD IP ID : FUNCTION ...``; the ID may hold spaces.

    geard takes no ID that holds the separator, but functions may begin with it.
    """
    descriptor, _, rest = line.partition(b" ")
    address, _, rest = rest.partition(b" ")
    client_id, separator, functions = rest.partition(b" :")
    try:
        number = to_number(descriptor)
    except InvalidDataError:
        separator = b""
    if not separator:
        raise InvalidDataError(f"expected 'FD IP ID : FUNCTIONS': {quoted(line)}")
    names = tuple(FunctionName(name) for name in functions.split(b" ") if name)
    return ConnectionStatus(number, address.decode(errors="replace"), ClientID(client_id), names)


def parse_job(line: bytes) -> JobStatus:
    """Read a line of ``show jobs``."""
    handle, (retries, ignored, queued) = _numbers(line, 4)
    return JobStatus(Handle(handle), retries, bool(ignored), bool(queued))


def parse_unique(line: bytes) -> UniqueKey:
    """Read a line of ``show unique jobs``."""
    return UniqueKey(line)


def parse_access(line: bytes) -> AccessEntry:
    """Read a line of ``acl list``; servers before 1.0 know fewer rights."""
    found = _ACCESS.fullmatch(line)
    if found is None:
        raise InvalidDataError(f"expected a subject and its rights: {quoted(line)}")
    subject, register, invoke, *flags = found.groups(b"")
    grant, admin, see = (flag == b"True" for flag in flags)
    name = subject.decode(errors="surrogateescape")
    return AccessEntry(name, _pattern(register), _pattern(invoke), grant, admin, see)


def _pattern(value: bytes) -> str | None:
    return None if value == b"None" else value.decode(errors="surrogateescape")
