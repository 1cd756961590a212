"""Which packet submits a job."""

import fractions
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gear_client.jobs import Job
from gear_client.submissions import submit_packet, to_epoch, to_precedence
from gear_wire.constants import PRECEDENCE_HIGH, PRECEDENCE_LOW, PRECEDENCE_NORMAL
from gear_wire.errors import ConfigurationError, InvalidDataError
from gear_wire.packets import (
    BasePacket,
    SubmitJob,
    SubmitJobBg,
    SubmitJobEpoch,
    SubmitJobHigh,
    SubmitJobHighBg,
    SubmitJobLow,
    SubmitJobLowBg,
    SubmitReduceJob,
    SubmitReduceJobBackground,
)
from gear_wire.types import FunctionName, UniqueKey
from support.wire_strategies import repeatable

JOB = Job("reverse", b"te\0st", "u")
PARTS = (FunctionName(b"reverse"), UniqueKey(b"u"))


@pytest.mark.parametrize(
    ("background", "precedence", "struct"),
    [
        (False, PRECEDENCE_NORMAL, SubmitJob),
        (False, PRECEDENCE_HIGH, SubmitJobHigh),
        (False, PRECEDENCE_LOW, SubmitJobLow),
        (True, PRECEDENCE_NORMAL, SubmitJobBg),
        (True, PRECEDENCE_HIGH, SubmitJobHighBg),
        (True, PRECEDENCE_LOW, SubmitJobLowBg),
    ],
)
def test_six_ways(background: bool, precedence: int, struct: type[SubmitJob | SubmitJobBg]) -> None:
    assert submit_packet(JOB, background, precedence) == struct(*PARTS, b"te\0st")
    assert submit_packet(JOB, background, int(precedence)) == struct(*PARTS, b"te\0st")


def test_a_job_without_unique() -> None:
    packet: BasePacket = SubmitJob(FunctionName(b"r"), UniqueKey(b""), b"")
    assert submit_packet(Job("r", b""), False, 0) == packet


def test_a_time() -> None:
    expected = SubmitJobEpoch(*PARTS, b"1700000000", b"te\0st")
    assert submit_packet(JOB, True, PRECEDENCE_NORMAL, when=1_700_000_000) == expected
    when = datetime.fromtimestamp(1_700_000_000, UTC)
    assert submit_packet(JOB, True, PRECEDENCE_NORMAL, when=when) == expected


def test_a_reducer() -> None:
    parts = (*PARTS, FunctionName(b"sum"), b"0", b"te\0st")
    assert submit_packet(JOB, False, 0, reducer="sum") == SubmitReduceJob(*parts)
    assert submit_packet(JOB, True, 0, reducer=b"sum") == SubmitReduceJobBackground(*parts)


def test_what_the_protocol_has_no_packet_for() -> None:
    with pytest.raises(InvalidDataError, match="background=True"):
        submit_packet(JOB, False, 0, when=1)
    for when, reducer in ((1, None), (None, "sum")):
        with pytest.raises(InvalidDataError, match="normal precedence"):
            submit_packet(JOB, True, PRECEDENCE_HIGH, when, reducer)
    with pytest.raises(InvalidDataError, match="not both"):
        submit_packet(JOB, True, 0, when=1, reducer="sum")
    with pytest.raises(InvalidDataError, match="NUL"):
        submit_packet(JOB, False, 0, reducer="a\0b")


@pytest.mark.parametrize("precedence", [3, -1, "high", None])
def test_an_unknown_precedence(precedence: object) -> None:
    with pytest.raises(ConfigurationError, match=r"known are PRECEDENCE_NORMAL \(0\)"):
        to_precedence(precedence)  # type: ignore[arg-type]  # what the test is about


@pytest.mark.parametrize(
    ("when", "seconds"),
    [
        (0, 0),
        (5.0, 5),
        (5.01, 6),
        (datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), 1_700_000_000),
        (datetime(2023, 11, 15, 0, 13, 20, 1, timezone(timedelta(hours=2))), 1_700_000_001),
    ],
)
def test_times_are_whole_seconds_and_never_too_early(when: float | datetime, seconds: int) -> None:
    assert to_epoch(when) == seconds


@pytest.mark.parametrize("when", [-1, 1 << 63, 1e300, math.nan, math.inf, -math.inf])
def test_times_that_are_none(when: float) -> None:
    with pytest.raises(InvalidDataError, match="not a time in seconds since 1970"):
        to_epoch(when)


def test_a_datetime_has_a_time_zone() -> None:
    with pytest.raises(InvalidDataError, match="needs a time zone"):
        to_epoch(datetime(2023, 11, 14))


def test_something_that_is_no_time() -> None:
    with pytest.raises(TypeError, match="a time is a number of seconds or a datetime, not str"):
        to_epoch("now")  # type: ignore[arg-type]  # what the test is about


@repeatable
@given(st.floats(0, 1e12))
def test_a_time_is_rounded_up_by_less_than_a_second(when: float) -> None:
    assert fractions.Fraction(0) <= to_epoch(when) - fractions.Fraction(when) < 1
