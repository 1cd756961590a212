"""Where geard logs."""

import json
import logging
import re
import socket
import threading
from pathlib import Path

import pytest

from gear_server.engine.state import Peer
from gear_server.geard.logs import LEVELS, Logs
from gear_server.geard.logwriter import LogWriter
from gear_server.levels import NOTICE
from gear_wire.errors import ConfigurationError

LOG = logging.getLogger("gear.Server.test_logs")


def messages(file: Path) -> list[str]:
    return [line.split(": ", 1)[1] for line in file.read_text().splitlines()]


def test_lines_have_a_time_a_level_and_a_name(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with Logs(str(file), "INFO"):
        LOG.log(NOTICE, "text")
    date, time, rest = file.read_text().split(" ", 2)
    assert (date.count("-"), time.count(":")) == (2, 2)
    assert rest == "NOTICE gear.Server.test_logs: text\n"


@pytest.mark.parametrize(
    ("level", "number"),
    [("DEBUG", 6), ("INFO", 5), ("NOTICE", 4), ("WARNING", 3), ("ERROR", 2), ("CRITICAL", 1),
     ("ALERT", 1), ("FATAL", 1)],
)  # fmt: skip
def test_a_level_lets_through_what_is_as_bad(tmp_path: Path, level: str, number: int) -> None:
    file = tmp_path / "log"
    names = ["CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"]
    with Logs(str(file), level):
        for name in names:
            LOG.log(LEVELS[name], "%s", name)
    assert messages(file) == names[:number]


def test_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    with Logs(str(tmp_path / "log"), "DEBUG"):
        assert root.level == logging.DEBUG
    assert (root.level, root.handlers) == before


def test_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with Logs("stderr", "INFO"):
        LOG.info("here")
    assert capfd.readouterr().err.endswith("INFO gear.Server.test_logs: here\n")


def test_none(capfd: pytest.CaptureFixture[str]) -> None:
    with Logs("none", "INFO"):
        LOG.error("nowhere")
    assert capfd.readouterr() == ("", "")


def test_a_file_that_was_moved_away_is_opened_again(tmp_path: Path) -> None:
    file, moved = tmp_path / "log", tmp_path / "log.1"
    with Logs(str(file), "INFO") as logs:
        LOG.info("one")
        file.rename(moved)
        LOG.info("two")
        logs.reopen()
        LOG.info("three")
    assert messages(moved) == ["one", "two"]
    assert messages(file) == ["three"]


def test_a_file_that_cannot_be_opened_again_goes_on(tmp_path: Path) -> None:
    file, moved = tmp_path / "log", tmp_path / "log.1"
    with Logs(str(file), "INFO") as logs:
        file.rename(moved)
        file.mkdir()
        with pytest.raises(IsADirectoryError):
            logs.reopen()
        LOG.info("still here")
    assert messages(moved) == ["still here"]


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"^cannot log to {tmp_path}: Is a directory$"):
        with Logs(str(tmp_path), "INFO"):
            pass


def test_syslog_gets_every_level_under_its_name(tmp_path: Path) -> None:
    address = str(tmp_path / "syslog")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.settimeout(10)
        syslog.bind(address)
        with Logs("none", "INFO", syslog=address):
            for name in ("CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO"):
                LOG.log(LEVELS[name], "text")
        lines = [syslog.recv(1000).rstrip(b"\0").decode() for _ in range(5)]
    facility = 1 << 3
    assert [line.partition(">")[0] for line in lines] == [
        f"<{facility + severity}" for severity in (2, 3, 4, 5, 6)
    ]
    assert all(line.partition(">")[2].startswith("geard[") for line in lines)
    assert lines[3].endswith("]: NOTICE gear.Server.test_logs: text")


def test_syslog_gets_objects_after_its_own_start_of_a_line(tmp_path: Path) -> None:
    address = str(tmp_path / "syslog")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.settimeout(10)
        syslog.bind(address)
        with Logs("none", "INFO", syslog=address, form="json"):
            LOG.warning("%s", "text")
        line = syslog.recv(1000).rstrip(b"\0").decode()
    start, _, rest = line.partition(" ")
    assert re.fullmatch(r"<12>geard\[\d+\]:", start)
    assert json.loads(rest)["message"] == "text"


def test_objects_have_what_was_so_when_they_were_logged(tmp_path: Path) -> None:
    file = tmp_path / "log"
    peer = Peer("192.0.2.7", 4000)
    with Logs(str(file), "INFO", form="json"):
        for name in (b"one", b"two"):
            peer.client_id = name
            logging.getLogger("gear.Server").info("%r speaks HTTP", peer)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["peer"]["client_id"] for line in lines] == ["one", "two"]
    assert "name: one host:" in lines[0]["message"]


def test_an_object_has_the_traceback_apart(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with Logs(str(file), "INFO", form="json"):
        LOG.error("text", exc_info=ValueError("reason"))
    (line,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert (line["message"], line["traceback"]) == ("text", "ValueError: reason")


def test_lost_lines_are_counted_for_good(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.symlink_to("/dev/full")
    with Logs(str(file), "INFO", form="json") as logs:
        LOG.info("one")
        LOG.info("two")
        file.unlink()
        logs.reopen()
        assert logs.dropped == 2
        LOG.info("three")
    assert logs.dropped == 2
    lost = [json.loads(line) for line in file.read_text().splitlines()][1]
    assert (lost["event"], lost["lines"]) == ("log.lost", 2)
    assert lost["reason"] == "No space left on device"


def test_the_log_of_jobs_leaves_room_for_other_lines() -> None:
    free = threading.Event()

    class Stuck(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            return free.wait(10)

    def put(name: str) -> None:
        writer.put(logging.makeLogRecord({"name": name, "msg": "x" * 10_000}), [Stuck()])

    writer = LogWriter("gear.Server")
    while not writer.dropped:
        put("gear.Server.jobs")
    for _ in range(100):
        put("gear.Server")
    assert writer.dropped == 1
    free.set()
    writer.start()
    assert writer.stop()
    assert writer.dropped == 1


def test_a_line_that_syslog_does_not_take_is_dropped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    address = tmp_path / "syslog"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(address))
        with Logs("none", "INFO", syslog=str(address)):
            syslog.close()
            LOG.info("text")
    assert capfd.readouterr() == ("", "geard: log lines lost: 1; Connection refused\n")


def test_syslog_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    with pytest.raises(ConfigurationError, match=f"^cannot log to syslog: there is no {missing}$"):
        with Logs("none", "INFO", syslog=missing):
            pass


@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "Error"), ("[loggers]\nkeys=root\n", "KeyError"), (None, "No such file or directory")],
)
def test_a_configuration_that_makes_no_sense_is_named(
    tmp_path: Path, content: str | None, reason: str
) -> None:
    file = tmp_path / "logging.ini"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=f"^--log-config {file}: .*{reason}"):
        with Logs("none", "INFO", config=str(file)):
            pass


def test_what_a_full_disk_does_not_take_is_counted(capfd: pytest.CaptureFixture[str]) -> None:
    with Logs("/dev/full", "INFO"):
        for _ in range(3):
            LOG.info("text")
    assert capfd.readouterr() == (
        "", "geard: log lines lost: 3; No space left on device\n",
    )  # fmt: skip


def test_lines_that_were_lost_are_told_of_once_there_is_room(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.symlink_to("/dev/full")
    with Logs(str(file), "INFO") as logs:
        LOG.info("one")
        LOG.info("two")
        file.unlink()
        logs.reopen()
        LOG.info("three")
        LOG.info("four")
    assert messages(file) == ["three", "Log lines lost: 2; No space left on device", "four"]


CONFIG = """
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys =
[logger_root]
level = INFO
handlers = file
[handler_file]
class = FileHandler
args = ({path!r},)
"""


def test_handlers_of_a_configuration_are_called_by_the_thread(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "logging.ini"
    file.write_text(CONFIG.format(path="/dev/full"))
    with Logs("none", "INFO", config=str(file)):
        LOG.info("text")
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err.startswith("geard: log lines lost: ")
    assert "Traceback" not in output.err
