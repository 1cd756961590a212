"""The text command that cancels a job, and what its answer means."""

from gear_wire.errors import ServerError
from gear_wire.text import command, parse_line


def cancel_command(handle: bytes) -> bytes:
    """Return the line that asks a server to cancel a job."""
    return command(b"cancel job", handle)


def was_cancelled(reply: bytes) -> bool:
    """Tell whether the server cancelled the job; False when it does not know the job.

    Raises:
        ServerError: The server said something else.
    """
    try:
        parse_line(reply)
    except ServerError as error:
        if error.code == "UNKNOWN_JOB":
            return False
        raise
    return True
