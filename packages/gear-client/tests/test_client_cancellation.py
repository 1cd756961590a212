"""What cancels a job, and what the server's answer means."""

import pytest

from gear_client.cancellation import cancel_command, was_cancelled
from gear_client.jobs import Job, submitted
from gear_wire.errors import InvalidDataError, ServerError


def test_the_command() -> None:
    assert cancel_command(b"H:host:1") == b"cancel job H:host:1\n"
    with pytest.raises(InvalidDataError, match="one word"):
        cancel_command(b"H 1")


def test_the_answer() -> None:
    assert was_cancelled(b"OK\r\n")
    assert not was_cancelled(b"ERR UNKNOWN_JOB\r\n")
    with pytest.raises(ServerError, match="PERMISSION_DENIED"):
        was_cancelled(b"ERR PERMISSION_DENIED\r\n")


def test_what_was_submitted_has_a_handle_and_a_connection() -> None:
    job = Job("reverse", b"")
    with pytest.raises(InvalidDataError, match="submit it first"):
        submitted(job, str)
    job.handle = b"H:1"
    with pytest.raises(InvalidDataError, match="not submitted by this kind of client"):
        submitted(job, str)
    job.connection = "a connection"
    assert submitted(job, str) == (b"H:1", "a connection")
