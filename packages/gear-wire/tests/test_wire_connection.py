"""A bare Connection, with no thread of its own, over real sockets."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from gear_wire import constants
from gear_wire.errors import (
    ConfigurationError,
    ConnectionError,
    DisconnectError,
    GearmanError,
    TimeoutError,
)
from gear_wire.link.threads.connection import Connection
from gear_wire.link.threads.requests import AdminRequest
from gear_wire.link.tls import TLSFiles
from gear_wire.packet import Packet
from gear_wire.packets import JobCreated
from gear_wire.types import Handle
from support.scripted_server import Peer, ScriptedServer, scripted_server


class Request(AdminRequest):
    """A request whose command and end are its own."""

    def __init__(self, command: bytes, end: bytes) -> None:
        self.command = command  # type: ignore[misc]  # each object has one of its own
        self.end = end
        super().__init__()

    def getCommand(self) -> bytes:
        return self.command or b""

    def isComplete(self, data: bytes) -> tuple[bool, bytes | None]:
        head, end, rest = data.partition(self.end)
        if not end:
            return False, None
        self.response = head + end
        return True, rest


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def connection(server: ScriptedServer) -> Iterator[Connection]:
    connection = Connection("127.0.0.1", server.port)
    connection.connect()
    yield connection
    connection.disconnect()


def test_echo_returns_what_came_back(connection: Connection) -> None:
    assert connection.echo(b"a\0b") == b"a\0b"
    assert connection.echo("text") == b"text"
    assert len(connection.echo()) == 16


def test_admin_requests_one_line_and_many(connection: Connection) -> None:
    version, status = Request(b"version\n", b"\n"), Request(b"status\n", b".\n")
    connection.sendAdminRequest(version)
    connection.sendAdminRequest(status)
    assert version.response == b"OK 9.9\n"
    assert status.response == b"reverse\t0\t0\t1\n.\n"
    assert not connection.hasPendingData()


def test_packets_that_come_between_are_kept_for_readPacket() -> None:
    def answer(peer: Peer, message: object) -> None:
        peer.send(JobCreated(Handle(b"H:1")))
        peer.sock.sendall(b"OK\n")

    with scripted_server(answer) as server:
        connection = Connection("127.0.0.1", server.port)
        connection.connect()
        connection.sendAdminRequest(Request(b"version\n", b"\n"))
        assert connection.hasPendingData()
        assert connection.readPacket() == Packet(constants.RES, constants.JOB_CREATED, b"H:1")
        connection.disconnect()


def test_sendPacket_and_readPacket(connection: Connection) -> None:
    connection.sendPacket(Packet(constants.REQ, constants.ECHO_REQ, b"x"))
    connection.sendRaw(b"version\n")
    connection.disconnect()
    with pytest.raises(ConnectionError, match="not connected"):
        connection.sendRaw(b"x")


def test_no_reply_in_time() -> None:
    with scripted_server(lambda peer, message: None) as server:
        connection = Connection("127.0.0.1", server.port)
        connection.connect()
        with pytest.raises(TimeoutError, match="ECHO_RES"):
            connection.echo(timeout=0.05)
        with pytest.raises(TimeoutError, match="version"):
            connection.sendAdminRequest(Request(b"version\n", b"\n"), timeout=0.05)
        connection.disconnect()


def test_connecting_again_leaves_no_socket_behind(connection: Connection) -> None:
    first = connection.conn
    connection.connect()
    assert connection.conn is not first
    assert first is not None
    assert first.fileno() == -1
    assert connection.echo(b"x") == b"x"


def test_a_server_that_goes_wakes_who_waits() -> None:
    with scripted_server(lambda peer, message: peer.sock.shutdown(socket.SHUT_RDWR)) as server:
        connection = Connection("127.0.0.1", server.port)
        connection.connect()
        with pytest.raises(DisconnectError):
            connection.echo(timeout=30)
        assert not connection.connected
        connection.reconnect()
        assert connection.connected
        connection.disconnect()


def test_bytes_that_are_no_gearman_break_the_connection() -> None:
    with scripted_server(lambda peer, message: peer.sock.sendall(b"\0XXX" + bytes(8))) as server:
        connection = Connection("127.0.0.1", server.port)
        connection.connect()
        with pytest.raises(DisconnectError):
            connection.echo(timeout=30)


def test_a_large_echo(connection: Connection) -> None:
    data = bytes(range(256)) * (1 << 14)
    assert connection.echo(data) == data


def test_several_threads_share_one_connection(connection: Connection) -> None:
    results: list[tuple[bytes, bytes]] = []

    def work(number: int) -> None:
        for turn in range(20):
            data = b"%d-%d" % (number, turn)
            results.append((data, connection.echo(data)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 120
    assert all(sent == came for sent, came in results)


@pytest.mark.parametrize("port", [0, 65536, -1, "x", "", None])
def test_bad_ports(port: object) -> None:
    with pytest.raises(ConfigurationError, match="1 to 65535"):
        Connection("localhost", port)  # type: ignore[arg-type]  # what the test is about


def test_ports_and_hosts_in_text_and_bytes() -> None:
    connection = Connection(b"localhost", "4731")
    assert (connection.host, connection.port) == ("localhost", 4731)
    assert (connection.state, connection.connected, connection.conn) == ("INIT", False, None)


def test_an_empty_host() -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        Connection("")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionError, match=f"127.0.0.1 port {port}"):
        Connection("127.0.0.1", port).connect()


def test_a_host_without_address() -> None:
    with pytest.raises(ConnectionError, match=r"a\.invalid port 4730: cannot look up the host"):
        Connection("a.invalid").connect()


# TLS


class Files:
    """Certificates of one authority for both ends."""

    def __init__(self, path: Path, host: str = "127.0.0.1") -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert(host)
        self.key, self.cert, self.ca = (str(path / name) for name in ("key", "cert", "ca"))
        certificate.private_key_pem.write_to_path(self.key)
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(self.cert, append=True)
        authority.cert_pem.write_to_path(self.ca)

    @property
    def all(self) -> tuple[str, str, str]:
        return self.key, self.cert, self.ca


def test_tls_echo(tmp_path: Path) -> None:
    files = Files(tmp_path)
    with scripted_server(context=TLSFiles(*files.all).server_context()) as server:
        connection = Connection("127.0.0.1", server.port, *files.all)
        connection.connect()
        data = bytes(range(256)) * (1 << 13)
        assert connection.echo(data) == data
        version = Request(b"version\n", b"\n")
        connection.sendAdminRequest(version)
        assert version.response == b"OK 9.9\n"
        connection.disconnect()


def test_tls_checks_the_name_of_the_server(tmp_path: Path) -> None:
    files = Files(tmp_path, "elsewhere.example")
    with scripted_server(context=TLSFiles(*files.all).server_context()) as server:
        with pytest.raises(ConnectionError, match="TLS handshake"):
            Connection("127.0.0.1", server.port, *files.all).connect()
        lenient = Connection("127.0.0.1", server.port, *files.all, ssl_check_hostname=False)
        lenient.connect()
        assert lenient.echo(b"x") == b"x"
        lenient.disconnect()


def test_tls_refuses_another_authority(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ours, theirs = Files(tmp_path / "a"), Files(tmp_path / "b")
    with scripted_server(context=TLSFiles(*theirs.all).server_context()) as server:
        with pytest.raises(ConnectionError, match="TLS handshake"):
            Connection("127.0.0.1", server.port, *ours.all).connect()


def test_two_of_three_files() -> None:
    with pytest.raises(ConfigurationError, match="missing: ssl_ca"):
        Connection("localhost", 4730, "key.pem", "cert.pem")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    files = Files(tmp_path)
    missing = str(tmp_path / "nothing.pem")
    with pytest.raises(ConfigurationError, match=missing):
        Connection("localhost", 4730, files.key, missing, files.ca)


def test_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    files = Files(tmp_path)
    with pytest.raises(ConfigurationError, match="cannot use the certificate"):
        Connection("localhost", 4730, files.key, files.key, files.ca)
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(ConfigurationError, match="CA file"):
        Connection("localhost", 4730, files.key, files.cert, empty)


def test_errors_have_one_base() -> None:
    assert issubclass(ConnectionError, GearmanError)


def test_a_socket_that_the_program_has_closed_is_a_connection_that_is_lost(
    connection: Connection,
) -> None:
    assert connection.conn is not None
    connection.conn.close()
    with pytest.raises(ConnectionError):
        connection.readPacket()
    assert not connection.connected
