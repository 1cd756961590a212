"""TextJob and TextList."""

import pytest

from gear_client.text import TextJob, TextList
from gear_client.text import decode as to_text
from gear_client.text import encode as to_bytes
from gear_wire.errors import JobFailedError


def test_a_list_of_text() -> None:
    data = TextList()
    data.append(b"a")
    data.append("b")
    data.extend([b"c", "d"])
    data.insert(0, "käse".encode())
    assert data == ["käse", "a", "b", "c", "d"]


def test_a_text_job() -> None:
    job = TextJob("reverse", "käse", "ü")
    assert (job.arguments, job.unique) == ("käse", "ü")
    assert (job.binary_arguments, job.binary_unique) == ("käse".encode(), "ü".encode())
    assert job.data == []
    job.data.append("é")
    job._data.append(b"\xff")
    assert list(job.binary_data) == ["é".encode(), b"\xff"]
    job.complete = True
    assert job.result() == "é".encode() + b"\xff"


def test_a_text_job_of_bytes() -> None:
    job = TextJob("reverse", b"k\xc3\xa4se")
    assert (job.arguments, job.unique) == ("käse", None)


def test_its_parts_are_assigned() -> None:
    job = TextJob("reverse", "")
    job.arguments = b"a"
    job.unique = "u"
    assert (job.arguments, job.unique, job.binary_unique) == ("a", "u", b"u")
    job.unique = None
    assert job.unique is None
    job.exception = "whý"
    assert job.exception == "whý"
    job.complete = job.failure = True
    with pytest.raises(JobFailedError) as info:
        job.result()
    assert info.value.exception == "whý".encode()
    job.exception = None
    assert job.exception is None


def test_bytes_that_are_no_text_come_back_unharmed() -> None:
    job = TextJob("reverse", b"\xff\xfe")
    assert TextJob("reverse", job.arguments).binary_arguments == b"\xff\xfe"
    job.arguments = job.arguments
    assert job.binary_arguments == b"\xff\xfe"
    assert to_bytes(to_text(b"\xff")) == b"\xff"
    assert (to_text("a"), to_bytes(b"a")) == ("a", b"a")
