"""Numbers of peers are read in constant time, or refused."""

import pytest

from gear_wire.errors import InvalidDataError
from gear_wire.number import to_number


@pytest.mark.parametrize(
    ("digits", "number"),
    [(b"0", 0), (b"007", 7), (b"-1", -1), (b"18446744073709551615", 2**64 - 1)],
)
def test_numbers(digits: bytes, number: int) -> None:
    assert to_number(digits) == number


@pytest.mark.parametrize(
    "digits",
    [b"", b"-", b"x", b" 1", b"1\n", b"1_000", b"+1", b"1.0", "²".encode(), b"1" * 21, b"1" * 5000],
)
def test_what_is_none(digits: bytes) -> None:
    with pytest.raises(InvalidDataError, match=r"^expected a number: b'") as info:
        to_number(digits)
    assert len(str(info.value)) < 300
