"""The text command that takes a job back, and what its answer means."""

from gear_client.jobs import Job
from gear_wire.errors import InvalidDataError, ServerError
from gear_wire.jobs import to_handle
from gear_wire.text import command, parse_line


def cancel_command(handle: bytes) -> bytes:
    """Return the line that asks a server to take a job back."""
    return command(b"cancel job", handle)


def was_cancelled(reply: bytes) -> bool:
    """Tell whether the server took the job back; False when it does not know the job.

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


def handle_of(job: Job | str | bytes) -> bytes:
    """Return the handle of a job that was submitted, or one that is given as it is.

    Raises:
        InvalidDataError: The job was not submitted yet.
    """
    handle = job.handle if isinstance(job, Job) else to_handle(job)
    if handle is None:
        raise InvalidDataError(f"{job!r} has no handle yet: submit it first")
    return handle
