import math

import pytest

from gear_wire.errors import InvalidDataError, TimeoutError
from gear_wire.link.deadline import Deadline


def test_no_limit_never_expires() -> None:
    deadline = Deadline(None)
    assert deadline.left() is None
    assert not deadline.expired()


def test_time_runs_out_once_and_for_all() -> None:
    deadline = Deadline(3600)
    first = deadline.left()
    second = deadline.left()
    assert first is not None
    assert second is not None
    assert 3590 < second <= first <= 3600
    assert not deadline.expired()


@pytest.mark.parametrize("timeout", [0, -1])
def test_zero_or_negative_expires_immediately(timeout: float) -> None:
    deadline = Deadline(timeout)
    assert deadline.expired()
    assert deadline.left() == 0.0


@pytest.mark.parametrize(("timeout", "error"), [(math.nan, InvalidDataError), ("1", TypeError)])
def test_what_is_no_timeout_is_refused(timeout: float, error: type[Exception]) -> None:
    with pytest.raises(error, match="a timeout is a number of seconds or None"):
        Deadline(timeout)


def test_the_sooner_of_two() -> None:
    near, far = Deadline(1), Deadline(3600)
    assert Deadline.sooner(60, near) is near
    left = Deadline.sooner(60, far).left()
    assert left is not None
    assert left <= 60
    assert Deadline.sooner(60, Deadline(None)).timeout == 60


def test_its_error_names_what_did_not_happen_and_the_timeout() -> None:
    error = Deadline(2).error("no answer from the server")
    assert isinstance(error, TimeoutError)
    assert str(error) == "no answer from the server in 2 s"
    assert str(Deadline(0.04998947).error("no answer")) == "no answer in 0.05 s"
    assert str(Deadline(0.00004).error("no answer")) == "no answer in 4e-05 s"
    assert str(Deadline(0).error("no answer")) == "no answer in 0 s"
