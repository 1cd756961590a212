"""geard with a log that takes no lines."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gear_wire.packets import EchoReq
from support.geard_program import TIMEOUT, Geard, receive, send

Start = Callable[..., Geard]
LINES = 12_000
"""More than a pipe and the queue of lines hold."""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[int]:
    """The end of a pipe in the place of the log file."""
    os.mkfifo(tmp_path / "log")
    number = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    yield number
    os.close(number)


def talk(geard: Geard) -> None:
    """Have a server log a line for each of many packets."""
    with geard.connect() as sock, sock.makefile("rb") as answers:
        for _ in range(LINES // 100):
            send(sock, *[EchoReq(b"x")] * 100)
            assert len(answers.read(13 * 100)) == 13 * 100


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stuck_reader_stops_neither_the_server_nor_its_end(
    start: Start, reader: int, number: signal.Signals
) -> None:
    geard = start("--verbose", "DEBUG")
    talk(geard)
    geard.signal(signal.SIGHUP)
    assert geard.ask("version").startswith("OK ")
    geard.signal(number)
    assert geard.process.wait(TIMEOUT) == 0
    assert geard.errors == ""


def test_what_a_stuck_reader_missed_is_told(start: Start, reader: int) -> None:
    geard = start("--verbose", "DEBUG")
    talk(geard)
    os.set_blocking(reader, True)
    with open(reader, "rb", closefd=False) as log:
        for line in log:
            if b" WARNING gear.Server: Log lines lost: " in line:
                break
            if not line.endswith(b"\n"):
                pytest.fail("no line tells how many were lost")
            if b"ECHO_REQ" in line and not log.peek(1):
                geard.ask("version")  # whose line is followed by the one that is waited for
    geard.signal(signal.SIGINT)
    assert geard.process.wait(TIMEOUT) == 0


def test_a_full_disk_is_told_once_and_costs_nothing_else(start: Start, tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/dev/full")
    geard = start("--verbose", "DEBUG")
    with geard.connect() as sock:
        send(sock, EchoReq(b"x"))
        assert receive(sock) == (17, b"x")
    geard.signal(signal.SIGTERM)
    assert geard.process.wait(TIMEOUT) == 0
    (line,) = geard.errors.splitlines()
    assert line.startswith("geard: log lines lost: ")
    assert line.endswith("; No space left on device")
