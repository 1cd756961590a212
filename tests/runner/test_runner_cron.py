"""Which cron expressions an app takes: those that the library reads by which they come due."""

import datetime

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import example, given
from hypothesis import strategies as st

from gear_wire.errors import ConfigurationError
from gear_wire.functions.cron import check_cron

NUMBERS = st.integers(0, 61).map(str)
VALUES = st.one_of(
    NUMBERS, st.sampled_from(["JAN", "dec", "SUN", "Sat", "L", "LW", "x", "*", "", "-"])
)
TERMS = st.one_of(
    VALUES,
    st.builds("{}-{}".format, VALUES, VALUES),
    st.builds("{}/{}".format, VALUES, VALUES),
    st.builds("{}-{}/{}".format, VALUES, VALUES, NUMBERS),
    st.builds("{}#{}".format, VALUES, st.integers(0, 6)),
    st.builds("{}L".format, VALUES),
)
FIELDS = st.lists(TERMS, min_size=1, max_size=3).map(",".join)


def is_read(expression: str) -> bool:
    """Return whether the library reads an expression."""
    try:
        CronSim(expression, datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
    except CronSimError:
        return False
    return True


def is_taken(expression: str) -> bool:
    """Return whether an app takes it."""
    try:
        check_cron(expression)
    except ConfigurationError:
        return False
    return True


@given(place=st.integers(0, 4), field=FIELDS)
@example(place=0, field="59")
@example(place=0, field="60")
@example(place=1, field="*/2,23")
@example(place=2, field="LW")
@example(place=3, field="feb-NOV/3")
@example(place=4, field="sun,7,2#5,3L")
@example(place=4, field="mon#6")
def test_an_app_takes_what_the_library_reads(place: int, field: str) -> None:
    fields = ["*"] * 5
    fields[place] = field
    expression = " ".join(fields)
    if not field or " " in field:
        return
    # The last day needs no steps; the library passes over them.
    if place == 2 and ("L/" in field or "LW/" in field):
        return
    assert is_taken(expression) == is_read(expression)


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("61 * * * *", "not a cron expression: the minute is from 0 to 59, not '61'"),
        ("* * 1,0 * *", "the day of the month is from 1 to 31, not '1,0'"),
        ("* * * * fry", "the day of the week is from 0 to 7, not 'fry'"),
        ("30 * * * * *", "five fields"),
        ("", "five fields"),
    ],
)
def test_what_is_wrong_is_named(expression: str, error: str) -> None:
    with pytest.raises(ConfigurationError, match=error):
        check_cron(expression)
