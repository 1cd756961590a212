"""What cancels a job, and what the server's answer means."""

import pytest

from gear_client.cancellation import cancel_command, handle_of, was_cancelled
from gear_client.jobs import Job
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


def test_the_handle() -> None:
    job = Job("reverse", b"")
    with pytest.raises(InvalidDataError, match="submit it first"):
        handle_of(job)
    job.handle = b"H:1"
    assert handle_of(job) == handle_of("H:1") == handle_of(b"H:1") == b"H:1"
