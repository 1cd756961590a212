"""The log of geard as lines of JSON."""

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import gear
from gear_wire.packets import EchoReq, SetClientID
from gear_wire.types import ClientID
from support.geard_program import HOST, TIMEOUT, Geard, receive, running_job, send

Start = Callable[..., Geard]
Line = dict[str, object]
LINES = 12_000
"""More than a pipe and the queue of lines hold."""


def read(log: str) -> list[Line]:
    """Return the lines of a log, each of which must be an object."""
    lines = [json.loads(line) for line in log.splitlines()]
    for line in lines:
        assert list(line)[:5] == ["time", "level", "logger", "event", "message"]
    return lines


def events(log: str) -> list[object]:
    return [line["event"] for line in read(log)]


def test_each_line_from_start_to_end_is_an_object(start: Start) -> None:
    geard = start("--log-format", "json", "--round-robin")
    with running_job(geard.port) as (_, assigned):
        handle = assigned.handle
    lines = read(geard.stop())
    by_event = {line["event"]: line for line in lines}
    assert lines[0]["event"] == "server.listening"
    assert str(lines[0]["addresses"]).startswith(f"{HOST} port ")
    assert by_event["server.option_ignored"]["reason"] == "--round-robin is ignored: " + (
        "a worker's functions always take turns"
    )
    abandoned = by_event["job.abandoned"]
    assert abandoned["function"] == "hold"
    assert str(abandoned["handle"]).encode() == handle
    assert by_event["server.signal"]["signal"] == "SIGINT"
    assert lines[-1]["event"] == "server.stopped"


def test_a_job_whose_worker_is_lost_is_requeued_by_name(start: Start) -> None:
    geard = start("--log-format", "json")
    with running_job(geard.port) as (_, assigned):
        assert isinstance(assigned.connection, gear.Connection)
        assigned.connection.disconnect()
        geard.wait_for_log('"event":"job.requeued"')
    (line,) = (line for line in read(geard.stop()) if line["event"] == "job.requeued")
    assert (line["function"], line["attempt"], line["level"]) == ("hold", 2, "WARNING")
    worker = line["worker"]
    assert isinstance(worker, dict)
    assert (worker["address"], worker["client_id"]) == (HOST, "holder")
    assert worker["subject"] is None


def test_a_hostile_name_forges_neither_a_line_nor_a_field(start: Start) -> None:
    geard = start("--log-format", "json", "--verbose", "DEBUG")
    name = b'x","event":"server.stopped","y":"\xff\xe2\x80\xae'
    with geard.connect() as sock:
        send(sock, SetClientID(ClientID(name)), EchoReq(b"x"))
        assert receive(sock) == (17, b"x")
        sock.sendall(b"GET / HTTP/1.1\r\n")
        assert sock.recv(1) == b""
    log = geard.stop()
    assert events(log).count("server.stopped") == 1
    (line,) = (line for line in read(log) if line["event"] == "connection.http")
    peer = line["peer"]
    assert isinstance(peer, dict)
    assert peer["client_id"] == 'x","event":"server.stopped","y":"\\xff\\u202e'


def test_the_format_stays_when_the_log_is_opened_again(start: Start, tmp_path: Path) -> None:
    geard = start("--log-format", "json")
    moved = tmp_path / "log.1"
    geard.log.rename(moved)
    geard.signal(signal.SIGHUP)
    geard.wait_for_log('"event":"server.reloaded"')
    assert events(geard.stop()) == ["server.reloaded", "server.signal", "server.stopped"]
    assert events(moved.read_text()) == ["server.listening", "server.signal"]


def test_standard_error_gets_the_same_lines(start: Start) -> None:
    geard = start("--log-format", "json", "-l", "stderr")
    geard.stop()
    assert events(geard.errors) == ["server.listening", "server.signal", "server.stopped"]


def test_what_a_stuck_reader_missed_is_told_as_an_object(start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    try:
        geard = start("--log-format", "json", "--verbose", "DEBUG")
        with geard.connect() as sock, sock.makefile("rb") as answers:
            for _ in range(LINES // 100):
                send(sock, *[EchoReq(b"x")] * 100)
                assert len(answers.read(13 * 100)) == 13 * 100
        os.set_blocking(reader, True)
        with open(reader, "rb", closefd=False) as log:
            for text in log:
                line = json.loads(text)
                if line["event"] == "log.lost":
                    break
                if line["event"] == "packet.received" and not log.peek(1):
                    geard.ask("version")  # whose line is followed by the one that is waited for
        assert line["lines"] > 0
        assert line["reason"] == "the log is too slow"
        geard.signal(signal.SIGINT)
        assert geard.process.wait(TIMEOUT) == 0
    finally:
        os.close(reader)


CONFIG = """
[loggers]
keys = root
[handlers]
keys = text, json
[formatters]
keys = json
[logger_root]
level = INFO
handlers = text, json
[formatter_json]
class = gear_server.logformat.JsonFormatter
[handler_text]
class = FileHandler
args = ({text!r},)
[handler_json]
class = FileHandler
formatter = json
args = ({json!r},)
"""


def test_a_configuration_may_write_objects_beside_text(start: Start, tmp_path: Path) -> None:
    config, text, objects = tmp_path / "logging.ini", tmp_path / "text", tmp_path / "json"
    config.write_text(CONFIG.format(text=str(text), json=str(objects)))
    geard = start("--log-config", str(config))
    geard.signal(signal.SIGINT)
    assert geard.process.wait(TIMEOUT) == 0, geard.errors
    assert events(objects.read_text()) == ["server.listening", "server.signal", "server.stopped"]
    assert re.fullmatch(
        f"geard .* listening on {HOST} port .*\nReceived SIGINT\ngeard stopped\n", text.read_text()
    )
    (listening, *_) = read(objects.read_text())
    assert listening["message"] == text.read_text().splitlines()[0]
