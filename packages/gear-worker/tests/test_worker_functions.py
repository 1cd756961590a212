"""FunctionRecord: names and timeouts."""

import math

import pytest

from gear_wire.errors import InvalidDataError
from gear_wire.packets import CanDo, CanDoTimeout
from gear_wire.types import FunctionName
from gear_worker import FunctionRecord


@pytest.mark.parametrize("name", ["käse", "käse".encode()])
def test_a_function_without_limit(name: str | bytes) -> None:
    record = FunctionRecord(name)
    assert (record.name, record.timeout) == ("käse".encode(), None)
    assert record.packet == CanDo(FunctionName("käse".encode()))


@pytest.mark.parametrize(
    ("timeout", "milliseconds"),
    [(30, b"30000"), (0.5, b"500"), (0.0001, b"1"), (1.0011, b"1002"), (b"250", b"250")],
)
def test_a_timeout(timeout: float | bytes, milliseconds: bytes) -> None:
    record = FunctionRecord("reverse", timeout)
    assert record.timeout == timeout
    assert record.packet == CanDoTimeout(FunctionName(b"reverse"), milliseconds)


@pytest.mark.parametrize("timeout", [0, -1, -0.5, math.inf, math.nan, b"", b"1.5", b"-1"])
def test_a_timeout_is_positive(timeout: float | bytes) -> None:
    with pytest.raises(InvalidDataError, match="timeout"):
        FunctionRecord("reverse", timeout)


@pytest.mark.parametrize("timeout", ["5", True, [1]])
def test_a_timeout_is_a_number(timeout: object) -> None:
    with pytest.raises(TypeError, match="a timeout is a number of seconds, not"):
        FunctionRecord("reverse", timeout)  # type: ignore[arg-type]  # what the test is about


@pytest.mark.parametrize("name", ["", b"", "a\0b"])
def test_a_bad_name(name: str | bytes) -> None:
    with pytest.raises(InvalidDataError, match="a function name"):
        FunctionRecord(name)
    with pytest.raises(TypeError, match="a function name must be bytes or str, not int"):
        FunctionRecord(5)  # type: ignore[arg-type]  # what the test is about


def test_what_it_says_of_itself() -> None:
    assert "name: b'reverse' timeout: 5>" in repr(FunctionRecord("reverse", 5))
