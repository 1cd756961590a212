"""What geard tells systemd, and the sockets it takes from it."""

import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gear_server.geard.systemd import READY, Notifier, inherited_sockets
from gear_wire.errors import ConfigurationError


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        yield sock


def test_states_go_to_a_path(tmp_path: Path, manager: socket.socket) -> None:
    path = str(tmp_path / "notify")
    manager.bind(path)
    Notifier(path).send(READY, "STATUS=Fine")
    assert manager.recv(1000) == b"READY=1\nSTATUS=Fine"


def test_states_go_to_an_abstract_name(manager: socket.socket) -> None:
    name = f"gear-{secrets.token_hex(8)}"
    manager.bind(f"\0{name}")
    Notifier(f"@{name}").send(READY)
    assert manager.recv(1000) == b"READY=1"


def test_a_reload_has_a_time(tmp_path: Path, manager: socket.socket) -> None:
    path = str(tmp_path / "notify")
    manager.bind(path)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier(path).reloading()
    state, _, stamp = manager.recv(1000).decode().partition("\nMONOTONIC_USEC=")
    assert state == "RELOADING=1"
    assert before <= int(stamp) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


@pytest.mark.parametrize("address", [None, "", "/nowhere/notify", "@nobody-listens-here"])
def test_nobody_needs_to_listen(address: str | None) -> None:
    Notifier(address).send(READY)


def descriptors(*numbers: int) -> dict[str, str]:
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(numbers)), "LISTEN_FDNAMES": "x"}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def test_sockets_are_taken_and_forgotten(listener: socket.socket) -> None:
    address = listener.getsockname()
    number = listener.detach()
    os.set_inheritable(number, True)
    environ = descriptors(number)
    taken = inherited_sockets(environ, number)
    try:
        assert environ == {}
        assert [sock.fileno() for sock in taken] == [number]
        assert taken[0].getsockname() == address
        assert not taken[0].get_inheritable()
        assert not taken[0].getblocking()
    finally:
        taken[0].close()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())},
    ],
)
def test_sockets_of_others_are_left_alone(environ: dict[str, str]) -> None:
    environ = dict(environ)
    assert inherited_sockets(environ) == []
    assert environ == {}


def test_what_is_no_listening_tcp_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))
        unix.listen()
        refuse(unix.detach(), "is not a listening TCP socket")
    with socket.socket() as silent:
        refuse(silent.detach(), "is not a listening TCP socket")
    number = os.open(os.devnull, os.O_RDONLY)
    try:
        refuse(number, "is not a socket: ")
    finally:
        os.close(number)


def refuse(number: int, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^descriptor {number}, .*{message}"):
        inherited_sockets(descriptors(number), number)
