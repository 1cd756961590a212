"""Hosts, ports and keepalive."""

import socket

import pytest

from gear_wire.errors import ConfigurationError
from gear_wire.link.address import DEFAULT_PORT, Keepalive, check_host, check_port


def test_hosts() -> None:
    assert check_host("localhost") == check_host(b"localhost") == "localhost"
    with pytest.raises(ConfigurationError, match="must not be empty"):
        check_host(b"")
    with pytest.raises(TypeError, match="bytes or str, not NoneType"):
        check_host(None)  # type: ignore[arg-type]  # what the test is about


@pytest.mark.parametrize("host", ["a\0b", b"\xff\xfe"])
def test_hosts_that_are_none(host: str | bytes) -> None:
    with pytest.raises(ConfigurationError, match="not the name of a host"):
        check_host(host)


@pytest.mark.parametrize("port", [4730, "4730", b"4730", " 4730 "])
def test_ports(port: int | str | bytes) -> None:
    assert check_port(port) == DEFAULT_PORT


@pytest.mark.parametrize("port", [0, -1, 65536, "", "http", b"\xff", None])
def test_ports_that_are_none(port: object) -> None:
    with pytest.raises(ConfigurationError, match=r"from 1 to 65535, not "):
        check_port(port)  # type: ignore[arg-type]  # what the test is about


def test_a_free_port_to_listen_on() -> None:
    assert check_port(0, least=0) == 0
    with pytest.raises(ConfigurationError, match="from 0 to 65535"):
        check_port(-1, least=0)


def test_keepalive_of_a_socket() -> None:
    with socket.socket() as sock:
        Keepalive().apply(sock)
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        Keepalive(True, idle=60, interval=7, count=3).apply(sock)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 7), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):
                assert sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) == value
