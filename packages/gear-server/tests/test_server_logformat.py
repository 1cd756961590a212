"""Log lines as JSON."""

import datetime
import json
import logging
from collections.abc import Iterator

import pytest

from gear_server.engine.state import Function, Peer, ServerJob
from gear_server.levels import NOTICE
from gear_server.logformat import LONGEST_VALUE, JsonFormatter
from gear_wire.enums import Precedence
from gear_wire.escape import Quoted
from gear_wire.loglimit import LogLimit

HOSTILE = b'a"},\n{"event": "job.lost", \xff\x00\x1b[2J'
SHOWN = 'a"},\\n{"event": "job.lost", \\xff\\x00\\x1b[2J'


class Lines(logging.Handler):
    """Keeps the formatted lines."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def last(self) -> dict[str, object]:
        """Return the only line since the last look."""
        (line,) = self.lines
        self.lines.clear()
        assert "\n" not in line
        assert line.isprintable()
        read = json.loads(line)
        assert isinstance(read, dict)
        return read


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    caplog.set_level(logging.DEBUG)
    handler = Lines()
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


LOG = logging.getLogger("gear.Server")


def peer(client_id: bytes = b"me", subject: str | None = None) -> Peer:
    made = Peer("192.0.2.7", 4000, 9, subject)
    made.client_id = client_id
    return made


def job(handle: bytes = b"H:1", name: bytes = b"resize", unique: bytes | None = b"u") -> ServerJob:
    return ServerJob(handle, Function(name), unique, b"data", Precedence.NORMAL, background=False)


def test_a_line_has_its_event_and_its_arguments(lines: Lines) -> None:
    before = datetime.datetime.now(datetime.UTC)
    made = job()
    made.retries = 1
    message = "Requeued %r (attempt %d): %r was lost or too slow"
    LOG.warning(message, made, 2, peer(subject="worker"))
    line = lines.last()
    when = datetime.datetime.fromisoformat(str(line.pop("time")))
    assert before - datetime.timedelta(milliseconds=1) <= when
    assert when <= datetime.datetime.now(datetime.UTC)
    assert str(line.pop("message")).startswith("Requeued <gear.ServerJob")
    assert line == {
        "level": "WARNING",
        "logger": "gear.Server",
        "event": "job.requeued",
        "handle": "H:1",
        "function": "resize",
        "unique": "u",
        "attempt": 2,
        "worker": {
            "address": "192.0.2.7", "port": 4000, "client_id": "me", "subject": "worker",
        },
    }  # fmt: skip


def test_numbers_stay_numbers(lines: Lines) -> None:
    message = "Grace period of %g s is over (%d jobs running, %d bytes undelivered)"
    LOG.log(NOTICE, message, 1.5, 2, 3)
    line = lines.last()
    assert (line["seconds"], line["running"], line["undelivered"]) == (1.5, 2, 3)


def test_what_is_not_there_is_null(lines: Lines) -> None:
    LOG.warning("%r timed out on %r", job(unique=None), None)
    line = lines.last()
    assert (line["unique"], line["worker"]) == (None, None)


def test_what_a_peer_sent_forges_nothing(lines: Lines) -> None:
    sender = peer(HOSTILE, "surrogate \udcff")
    LOG.info("Error for %r: %r %r", sender, HOSTILE, b"text")
    line = lines.last()
    assert list(line) == [
        "time", "level", "logger", "event", "message", "peer", "code", "text",
    ]  # fmt: skip
    assert line["event"] == "error.sent"
    assert line["code"] == SHOWN
    assert line["peer"] == {
        "address": "192.0.2.7", "port": 4000, "client_id": SHOWN, "subject": "surrogate \\udcff",
    }  # fmt: skip
    LOG.warning("%r timed out on %r", job(HOSTILE, HOSTILE, HOSTILE), peer())
    line = lines.last()
    assert [line[name] for name in ("handle", "function", "unique")] == [SHOWN] * 3


def test_text_that_is_not_utf8_is_written_all_the_same() -> None:
    # Not logged: pytest would pass such text on between its processes, and cannot.
    message = "Reload failed: %s; keeping the previous state"
    record = LOG.makeRecord(LOG.name, logging.ERROR, "", 0, message, ("/etc/\udcff",), None)
    line = json.loads(JsonFormatter().format(record))
    assert (line["event"], line["reason"]) == ("server.reload_failed", "/etc/\\udcff")
    assert line["message"] == "Reload failed: /etc/\\udcff; keeping the previous state"


def test_long_values_are_cut(lines: Lines) -> None:
    LOG.info("Error for %r: %r %r", peer(), b"x" * 5000, b"")
    code = str(lines.last()["code"])
    assert len(code) < LONGEST_VALUE + 50
    assert code.endswith("... (5000 in all)")


def test_a_name_that_another_field_has_is_left_out(lines: Lines) -> None:
    line = "Permission denied to %r, subject %s: may not %s %s"
    LOG.warning(line, peer(subject="web"), Quoted("web"), "invoke", Quoted(b"resize"))
    read = lines.last()
    assert "may not invoke b'resize'" in str(read["message"])
    assert (read["event"], read["right"], read["function"]) == ("access.denied", "invoke", "resize")
    assert "" not in read


def test_an_exception_is_a_field(lines: Lines) -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        LOG.exception("Exception in %s", "handleEcho")
    line = lines.last()
    assert (line["event"], line["handler"]) == ("fault.handler", "handleEcho")
    assert line["message"] == "Exception in handleEcho"
    assert str(line["traceback"]).endswith("ValueError: first\nsecond")


def test_how_many_were_left_out_is_an_event(lines: Lines) -> None:
    limit = LogLimit(LOG, "Refused connections", lines=1)
    limit.log(0.0, logging.WARNING, "%r speaks HTTP", peer())
    assert lines.last()["event"] == "connection.http"
    limit.log(0.0, logging.WARNING, "%r speaks HTTP", peer())
    limit.finish()
    line = lines.last()
    assert line["event"] == "log.suppressed"
    assert (line["subject"], line["lines"]) == ("Refused connections", 1)


@pytest.mark.parametrize("name", ["asyncio", "gear.Serverless", "program"])
def test_what_others_log_has_no_event_of_ours(lines: Lines, name: str) -> None:
    logging.getLogger(name).warning("Reloaded")
    logging.getLogger(name).warning("%(a)s", {"a": 1})
    for line in lines.lines:
        assert json.loads(line)["event"] == "other"


def test_what_programs_log_by_our_logger_is_written_too(lines: Lines) -> None:
    LOG.warning("a handler of mine: %s", HOSTILE)
    line = lines.last()
    assert line["event"] == "other"
    assert str(line["message"]).startswith("a handler of mine: b'")
