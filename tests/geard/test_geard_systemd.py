"""geard under systemd: states, sockets that it inherits, and the sample units."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.fix_peers import require_program
from support.geard_program import HOST, PROGRAM, TIMEOUT, Geard, running_job, wait_until

Start = Callable[..., Geard]
UNITS = Path(__file__).parents[2] / "packages" / "gear-server" / "systemd"


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's socket, and how it is told to the service."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        if request.param == "path":
            address = str(tmp_path / "notify")
            sock.bind(address)
        else:
            address = f"@gear-{secrets.token_hex(8)}"
            sock.bind(f"\0{address[1:]}")
        yield sock, address


def test_the_service_manager_is_told_how_it_goes(
    launch: Start, manager: tuple[socket.socket, str]
) -> None:
    sock, address = manager
    geard = launch(environ={"NOTIFY_SOCKET": address})
    assert sock.recv(1000) == b"READY=1\nSTATUS=Listening on %s port %d" % (
        HOST.encode(), geard.port,
    )  # fmt: skip
    geard.signal(signal.SIGHUP)
    assert sock.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert sock.recv(1000) == b"READY=1"
    with running_job(geard.port) as running:
        geard.signal(signal.SIGTERM)
        assert sock.recv(1000) == b"STOPPING=1\nSTATUS=Waiting for 1 jobs"
        running.assigned.sendWorkComplete(b"")
        assert sock.recv(1000) == b"STOPPING=1"
        geard.end()


INHERIT = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def inherit(number: int) -> list[str]:
    """Return what gives a program a descriptor as systemd does."""
    return [sys.executable, "-c", INHERIT, str(number)]


def test_sockets_of_systemd_are_served(start: Start) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        number = listener.fileno()
        # The port that it is told counts for nothing: it is in use.
        geard = start("-p", str(port), prefix=inherit(number), pass_fds=[number])
    assert geard.port == port
    assert geard.ask("getpid") == f"OK {geard.process.pid}"
    environment = Path(f"/proc/{geard.process.pid}/environ").read_bytes()
    assert b"LISTEN_FDS=1" in environment  # it was given that way indeed
    assert f"listening on {HOST} port {port}" in geard.stop()


def test_a_connection_made_before_the_start_is_served(start: Start) -> None:
    with socket.create_server((HOST, 0)) as listener:
        with socket.create_connection(listener.getsockname(), TIMEOUT) as early:
            early.sendall(b"version\n")
            start(prefix=inherit(listener.fileno()), pass_fds=[listener.fileno()])
            assert early.recv(100).startswith(b"OK ")


def test_a_daemon_takes_sockets_too(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port, number = listener.getsockname()[1], listener.fileno()
        done = subprocess.run(
            [*inherit(number), PROGRAM, "-P", str(tmp_path / "pid"), "-l", "none"],
            pass_fds=[number], timeout=TIMEOUT, check=False,
        )  # fmt: skip
    assert done.returncode == 0
    process = int((tmp_path / "pid").read_text())
    try:
        with socket.create_connection((HOST, port), TIMEOUT) as sock:
            sock.sendall(b"getpid\n")
            assert sock.recv(100) == b"OK %d\n" % process
    finally:
        os.kill(process, signal.SIGINT)
    wait_until(lambda: not (tmp_path / "pid").exists(), "it does not end")


def test_a_descriptor_that_is_no_socket_is_refused(launch: Start) -> None:
    number = os.open(os.devnull, os.O_RDONLY)
    try:
        geard = launch(prefix=inherit(number), pass_fds=[number])
    finally:
        os.close(number)
    assert geard.process.wait(TIMEOUT) == 1
    assert geard.errors.startswith("geard: descriptor 3, passed by systemd, is not a socket: ")


@pytest.mark.peer
def test_systemds_own_tool_starts_it() -> None:
    activate = require_program("systemd-socket-activate", "systemd")
    # It takes no port 0: an address that nobody else uses.
    host = f"127.{secrets.choice(range(1, 255))}.{secrets.choice(range(256))}.1"
    process = subprocess.Popen(
        [activate, "-l", f"{host}:4730", PROGRAM, "-d", "-l", "none"], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: answers(host, process.pid), "no answer")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(TIMEOUT)


def answers(host: str, process: int) -> bool:
    try:
        with socket.create_connection((host, 4730), TIMEOUT) as sock:
            sock.sendall(b"getpid\n")
            return sock.recv(100) == b"OK %d\n" % process
    except OSError:
        return False


@pytest.mark.peer
def test_systemd_understands_the_sample_units(tmp_path: Path) -> None:
    analyze = require_program("systemd-analyze", "systemd")
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/usr/local/bin/geard", PROGRAM)
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", *map(str, tmp_path.iterdir())],
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
