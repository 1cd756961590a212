"""Timeouts: what can be waited for."""

import math
import threading

import pytest

from gear_wire.errors import InvalidDataError
from gear_wire.timeouts import LONGEST, check_timeout


@pytest.mark.parametrize("timeout", [0, 0.5, 90, -1, None])
def test_a_timeout_is_what_was_given(timeout: float | None) -> None:
    assert check_timeout(timeout) == timeout


@pytest.mark.parametrize("timeout", [LONGEST, 1e300, math.inf, 10**400])
def test_longer_than_anyone_waits_is_no_limit(timeout: float) -> None:
    assert check_timeout(timeout) is None


def test_the_longest_can_be_waited_for() -> None:
    event = threading.Event()
    event.set()
    assert event.wait(check_timeout(LONGEST - 1))


@pytest.mark.parametrize("timeout", ["5", b"5", [5]])
def test_a_timeout_is_a_number(timeout: object) -> None:
    with pytest.raises(TypeError, match="a timeout is a number of seconds or None, not"):
        check_timeout(timeout)  # type: ignore[arg-type]  # what the test is about


def test_a_timeout_is_not_nan() -> None:
    with pytest.raises(InvalidDataError, match="not nan"):
        check_timeout(math.nan)
