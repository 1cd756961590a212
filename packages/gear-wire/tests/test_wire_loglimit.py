import logging

import pytest

from gear_wire.loglimit import LogLimit

LOG = logging.getLogger("gear.test.loglimit")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, LOG.name)
    return caplog


def test_the_first_lines_of_an_interval_are_written(lines: pytest.LogCaptureFixture) -> None:
    limit = LogLimit(LOG, "Floods", lines=2, interval=5)
    for number in range(100):
        limit.log(100 + number / 100, logging.WARNING, "Line %d", number)
    assert lines.messages == ["Line 0", "Line 1"]


def test_the_next_line_after_the_interval_tells_how_many_were_left_out(
    lines: pytest.LogCaptureFixture,
) -> None:
    limit = LogLimit(LOG, "Floods", lines=2, interval=5)
    for _ in range(10):
        limit.log(100, logging.WARNING, "Line")
    limit.log(104.9, logging.ERROR, "Line")
    lines.clear()
    limit.log(105, logging.INFO, "Late")
    assert [(record.levelname, record.getMessage()) for record in lines.records] == [
        ("ERROR", "Floods: 9 more, not logged"),
        ("INFO", "Late"),
    ]
    limit.log(106, logging.INFO, "Later")
    limit.log(200, logging.INFO, "Much later")
    assert lines.messages[2:] == ["Later", "Much later"]


def test_what_was_left_out_is_told_at_the_end(lines: pytest.LogCaptureFixture) -> None:
    limit = LogLimit(LOG, "Floods", lines=1, interval=5)
    limit.finish()
    for _ in range(3):
        limit.log(100, logging.INFO, "Line")
    limit.finish()
    limit.finish()
    assert lines.messages == ["Line", "Floods: 2 more, not logged"]
    limit.log(101, logging.INFO, "Line")
    limit.finish()
    assert lines.messages[2:] == ["Floods: 1 more, not logged"]


def test_a_level_that_is_not_logged_counts_for_nothing(lines: pytest.LogCaptureFixture) -> None:
    limit = LogLimit(LOG, "Floods", lines=1)
    for _ in range(100):
        limit.log(100, logging.DEBUG, "Line")
    limit.log(100, logging.INFO, "Line")
    limit.finish()
    assert lines.messages == ["Line"]


def test_an_exception_is_written_with_its_line(lines: pytest.LogCaptureFixture) -> None:
    error = ValueError("wrong")
    LogLimit(LOG, "Floods").log(100, logging.ERROR, "Failed", exc_info=error)
    info = lines.records[0].exc_info
    assert info is not None
    assert info[1] is error
