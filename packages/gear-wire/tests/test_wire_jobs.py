"""BaseJob and what turns arguments into bytes."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gear_wire.errors import InvalidDataError
from gear_wire.jobs import (
    BaseJob,
    convert_to_bytes,
    to_client_id,
    to_function_name,
    to_handle,
    to_option,
    to_payload,
    to_unique_key,
)
from support.wire_strategies import repeatable

Convert = Callable[[str | bytes], bytes]
CONVERTERS: list[tuple[Convert, str]] = [
    (to_function_name, "a function name"),
    (to_unique_key, "a unique"),
    (to_handle, "a job handle"),
    (to_client_id, "a client id"),
    (to_option, "an option"),
]


@pytest.mark.parametrize(("convert", "what"), CONVERTERS)
def test_text_is_utf8_and_a_nul_is_refused(convert: Convert, what: str) -> None:
    assert convert("käse") == "käse".encode()
    assert convert(b"\xff") == b"\xff"
    for value in ("a\0b", b"\0"):
        with pytest.raises(InvalidDataError, match=f"{what} must not hold a NUL byte"):
            convert(value)


@pytest.mark.parametrize(
    ("convert", "what"),
    [*CONVERTERS, (to_payload, "arguments or data"), (convert_to_bytes, "data")],
)
@pytest.mark.parametrize("value", [None, 5, ["a"]])
def test_neither_text_nor_bytes(convert: Convert, what: str, value: object) -> None:
    with pytest.raises(
        TypeError, match=f"{what}.* must be bytes or str, not {type(value).__name__}"
    ):
        convert(value)  # type: ignore[arg-type]  # what the test is about


def test_a_function_has_a_name() -> None:
    with pytest.raises(InvalidDataError, match="must not be empty"):
        to_function_name("")


def test_payloads_may_hold_anything() -> None:
    assert to_payload("a\0b") == b"a\0b"
    assert to_payload(bytearray(b"\xff")) == to_payload(memoryview(b"\xff")) == b"\xff"


def test_a_job_as_it_is_made() -> None:
    job = BaseJob("reverse", "tést", unique="u")
    assert (job.name, job.binary_name) == ("reverse", b"reverse")
    assert job.arguments == job.binary_arguments == "tést".encode()
    assert job.unique == job.binary_unique == b"u"
    assert (job.handle, job.connection) == (None, None)
    assert BaseJob(b"r", b"").unique is None
    assert BaseJob("r", b"", handle=b"H:1").handle == b"H:1"


def test_a_job_is_an_open_class() -> None:
    job = BaseJob("reverse", b"")
    job.__dict__["build_set"] = 1
    assert vars(job)["build_set"] == 1


def test_a_job_is_changed_before_it_is_submitted() -> None:
    job = BaseJob("reverse", b"")
    job.name, job.arguments, job.unique = "count", "x", "u"
    assert (job.binary_name, job.binary_arguments, job.binary_unique) == (b"count", b"x", b"u")
    job.unique = None
    assert job.binary_unique is None
    with pytest.raises(InvalidDataError, match="empty"):
        job.name = ""


def test_what_it_says_of_itself() -> None:
    text = repr(BaseJob("reverse", b"secret", b"u", b"H:1"))
    assert "handle: b'H:1' name: reverse unique: b'u'" in text
    assert "secret" not in text


@repeatable
@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_any_name_as_text_is_the_same_name(name: bytes) -> None:
    assert BaseJob(BaseJob(name, b"").name, b"").binary_name == name


def test_text_that_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        to_payload("\ud800")
