"""What the engine's packets mean as answers to an HTTP request, if they are no result."""

from typing import Final

from gear_server.engine.limits import QUEUE
from gear_server.http.problems import ProblemError
from gear_wire.enums import PacketType
from gear_wire.escape import escaped
from gear_wire.framing import Frame

HANDLE: Final = "X-Gearman-Job-Handle"
COMMAND: Final = "X-Gearman-Command"
"""The header that says by which packet a job has ended."""
RETRY_AFTER: Final = 1
"""Seconds after which a submission that was refused for want of room may find some."""
_STATUSES: Final = {
    b"QUEUE_ERROR": 503,
    b"TOO_MANY_FUNCTIONS": 503,
    b"PERMISSION_DENIED": 403,
    b"INVALID_FUNCTION_NAME": 400,
    b"ARGUMENT_TOO_LARGE": 400,
}
"""The status for each code of an ERROR; 500 for others."""
FAILURES: Final = frozenset({PacketType.WORK_FAIL, PacketType.WORK_EXCEPTION})
"""The packets that end a job without a result."""
LONGEST: Final = 65536
"""Bytes of an exception that are shown."""


def refusal(frame: Frame) -> ProblemError:
    """Return why a submission was refused.

    Args:
        frame: The ERROR.
    """
    code, _, text = frame.body.partition(b"\0")
    text = text.rstrip(b"\0")
    status = _STATUSES.get(code, 500)
    if (code, text) == (QUEUE.refusal.code, QUEUE.refusal.text):
        status = 429  # it is this function that has too many jobs, not the server
    headers = {"Retry-After": f"{RETRY_AFTER}"} if status in (429, 503) else {}
    return ProblemError(status, f"{escaped(text)} ({escaped(code)})", headers)


def failure(frame: Frame) -> ProblemError:
    """Return how a job has failed: like a web application, with 500.

    Proxies repeat requests that were answered by 502, or show a page of their own.

    Args:
        frame: The WORK_FAIL or WORK_EXCEPTION.
    """
    handle, _, text = frame.body.partition(b"\0")
    detail = text[:LONGEST].decode(errors="backslashreplace") if text else "the job has failed"
    headers = {HANDLE: escaped(handle), COMMAND: PacketType(frame.type).name}
    return ProblemError(500, detail, headers)


def ended() -> ProblemError:
    """Return that the server has ended a request."""
    return ProblemError(503, "the server is shutting down, or cannot go on with this request")
