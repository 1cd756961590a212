"""How a threaded client connects: who answers, who refuses, who is silent; and what is logged."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from gear_wire.enums import PacketType
from gear_wire.errors import ConfigurationError, ConnectionError, GearmanError, TimeoutError
from gear_wire.link.address import ServerAddress
from gear_wire.link.heartbeat import PAYLOAD
from gear_wire.link.threads.connection import Connection
from gear_wire.link.tls import TLSFiles
from gear_wire.packet import Packet
from gear_wire.packets import EchoReq, EchoRes, Noop
from support.greeting_client import GREETING
from support.greeting_client import GreetingClient as Client
from support.scripted_server import Peer, ScriptedServer, scripted_server
from support.swallowing import swallowing_port


@pytest.fixture
def client() -> Iterator[Client]:
    with Client() as client:
        yield client


def two_addresses(monkeypatch: pytest.MonkeyPatch, name: str, *ports: int) -> None:
    """Have a name lead to ports of this machine, in this order."""
    look_up = socket.getaddrinfo

    def look_up_more(host: str, port: int, **options: int) -> object:
        if host != name:
            return look_up(host, port, **options)
        kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        return [(*kind, ("127.0.0.1", port)) for port in ports]

    monkeypatch.setattr(socket, "getaddrinfo", look_up_more)


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


# Who answers


def test_a_name_whose_first_address_swallows_packets(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server() as server, swallowing_port() as hole:
        two_addresses(monkeypatch, "two-addresses", hole, server.port)
        begun = time.monotonic()
        client.addServer("two-addresses", server.port)
        client.waitForServer(8)
        assert time.monotonic() - begun < 7
        assert client.getConnection().echo(b"x", 10) == b"x"
        server.wait_for(lambda: len(server.messages) == 2)
        assert server.messages == [GREETING, EchoReq(b"x")]
        client.shutdown()


def test_a_name_whose_first_address_refuses(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server() as server:
        two_addresses(monkeypatch, "two-addresses", closed_port(), server.port)
        client.addServer("two-addresses", server.port)
        client.waitForServer(8)
        client.shutdown()


def test_each_reason_of_a_name_with_several_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    with swallowing_port() as hole:
        two_addresses(monkeypatch, "two-addresses", closed_port(), hole)
        with pytest.raises(ConnectionError, match="no answer in time; Connection refused"):
            Connection("two-addresses").connect(0.5)


def test_the_system_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    port = closed_port()
    with pytest.raises(ConnectionError) as caught:
        Connection("127.0.0.1", port).connect(5)
    assert str(caught.value) == f"cannot connect to 127.0.0.1 port {port}: Connection refused"


def test_the_reason_of_each_server_that_is_not_there(client: Client) -> None:
    with pytest.raises(TimeoutError, match="no server was added"):
        client.waitForServer(0.01)
    port = closed_port()
    client.addServer("127.0.0.1", port)
    client.addServer("a..b")
    deadline = time.monotonic() + 10
    while True:  # a second server fails in its own time, of which no event tells
        with pytest.raises(TimeoutError) as caught:
            client.waitForServer(0.1)
        if "no answer yet" not in str(caught.value):
            break
        assert time.monotonic() < deadline
    assert f"127.0.0.1 port {port}: Connection refused" in str(caught.value)
    assert "a..b port 4730: cannot look up the host" in str(caught.value)


def test_a_server_that_is_down_is_warned_of_once_and_once_when_it_is_back(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def lines(level: int) -> list[str]:
        return [line.getMessage() for line in caplog.records if line.levelno == level]

    def wait_until(level: int, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + 10
        while len([line for line in lines(level) if text in line]) < times:
            assert time.monotonic() < deadline, caplog.text
            time.sleep(0.01)  # a log has no event to wait for

    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        client.addServer("127.0.0.1", port)
        wait_until(logging.DEBUG, "Cannot connect", 2)
        reserved.listen()
        client.waitForServer(10)
        reserved.accept()[0].close()
        place = f"127.0.0.1 port {port}"
        wait_until(logging.INFO, f"Lost the connection to {place}: ")
        wait_until(logging.INFO, f"Connected to {place}")
        reserved.accept()[0].close()
        client.shutdown()
    down, back = lines(logging.WARNING)
    assert down == f"Cannot connect to {place}: Connection refused; retrying"
    assert back.startswith(f"Connected to {place} after ")


@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("example.com:4731", "'example.com', and the port 4731"),
        ("gearman://example.com", "'example.com'"),
        ("[::1]", "'::1'"),
        ("[::1]:4730", "'::1'"),
        (" example.com", "no white space"),
        ("example.com\n", "no white space"),
    ],
)
def test_what_is_no_host_is_refused_with_what_is_right(
    client: Client, host: str, right: str
) -> None:
    calls: list[Callable[[str], object]] = [client.addServer, Connection, ServerAddress.of]
    for call in calls:
        with pytest.raises(ConfigurationError) as caught:
            call(host)
        assert repr(host) in str(caught.value)
        assert right in str(caught.value)


@pytest.mark.parametrize("host", ["::1", "fe80::1%lo", "localhost", "10.0.0.1", "a_b.example"])
def test_what_is_a_host(host: str) -> None:
    assert ServerAddress.of(host).host == host


# Who refuses


def files(folder: Path, authority: trustme.CA, trusted: trustme.CA, *names: str) -> TLSFiles:
    """Return the files of who has a certificate of one authority, and trusts another."""
    folder.mkdir()
    files = TLSFiles(*(str(folder / name) for name in ("key", "cert", "ca")))
    certificate = authority.issue_cert(*names or ("127.0.0.1",))
    certificate.private_key_pem.write_to_path(files.key)
    certificate.cert_chain_pems[0].write_to_path(files.cert)
    trusted.cert_pem.write_to_path(files.ca)
    return files


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_the_server_refuses_is_not_connected(
    client: Client,
    version: ssl.TLSVersion,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    mine = files(tmp_path / "client", ours, theirs)
    context = files(tmp_path / "server", theirs, theirs).server_context()
    context.minimum_version = context.maximum_version = version
    with scripted_server(context=context) as server:
        with pytest.raises(ConnectionError, match="alert unknown ca"):
            Connection("127.0.0.1", server.port, mine.key, mine.cert, mine.ca).connect(10)
        client.addServer("127.0.0.1", server.port, mine.key, mine.cert, mine.ca)
        with pytest.raises(TimeoutError, match=r"no server was connected.*alert unknown ca"):
            client.waitForServer(0.5)
        client.shutdown()
    assert "alert unknown ca" in caplog.text


def test_a_server_that_says_nothing_after_its_handshake(client: Client, tmp_path: Path) -> None:
    """It sends no tickets, and so is asked for an echo, of which nobody hears."""
    authority = trustme.CA()
    mine = files(tmp_path / "client", authority, authority)
    context = files(tmp_path / "server", authority, authority).server_context()
    context.num_tickets = 0
    with scripted_server(context=context) as server:
        client.addServer("127.0.0.1", server.port, mine.key, mine.cert, mine.ca)
        client.waitForServer(10)
        assert client.getConnection().echo(b"x", 10) == b"x"
        assert server.messages[:2] == [EchoReq(PAYLOAD), GREETING]
        client.shutdown()


def test_what_a_server_says_at_once_after_its_handshake_is_heard(
    client: Client, tmp_path: Path
) -> None:
    """It comes together with what connecting waits for."""
    authority = trustme.CA()
    mine = files(tmp_path / "client", authority, authority)
    context = files(tmp_path / "server", authority, authority).server_context()

    def greet(server: ScriptedServer) -> None:
        server.wait_for(lambda: server.peers)
        server.peers[0].send(Noop())

    with scripted_server(context=context) as server:
        greeting = threading.Thread(target=greet, args=(server,))
        greeting.start()
        client.addServer("127.0.0.1", server.port, mine.key, mine.cert, mine.ca)
        assert client.seen.get(timeout=10) == "noop"
        greeting.join()
        client.shutdown()


def test_a_peer_that_never_shakes_hands(client: Client, tmp_path: Path) -> None:
    authority = trustme.CA()
    mine = files(tmp_path / "client", authority, authority)
    with socket.create_server(("127.0.0.1", 0)) as server:
        client.addServer("127.0.0.1", server.getsockname()[1], mine.key, mine.cert, mine.ca)
        with pytest.raises(TimeoutError, match="no answer yet"):
            client.waitForServer(0.2)
        begun = time.monotonic()
        client.shutdown()
        assert time.monotonic() - begun < 4


def test_the_environment_turns_the_check_of_names_off(
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    authority = trustme.CA()
    mine = files(tmp_path / "client", authority, authority)
    theirs = files(tmp_path / "server", authority, authority, "elsewhere.example")
    with scripted_server(context=theirs.server_context()) as server:
        with pytest.raises(ConnectionError, match="GEAR_SSL_CHECK_HOSTNAME=0 in the environment"):
            Connection("127.0.0.1", server.port, mine.key, mine.cert, mine.ca).connect(10)
        monkeypatch.setenv("GEAR_SSL_CHECK_HOSTNAME", "0")
        client.addServer("127.0.0.1", server.port, mine.key, mine.cert, mine.ca)
        client.waitForServer(10)
        client.shutdown()
    warning = f"accepting any name in the certificate of 127.0.0.1 port {server.port}"
    assert [line for line in caplog.messages if warning in line]


# Who is silent


def test_a_server_that_does_not_answer_a_heartbeat_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with scripted_server(lambda peer, message: None) as server, Client(0.1) as client:
        client.addServer("127.0.0.1", server.port)
        server.wait_for(lambda: len(server.peers) > 1)
        client.shutdown()
        assert EchoReq(PAYLOAD) in server.messages
    assert "no answer to a heartbeat in 0.1 s" in caplog.text


def test_a_server_that_answers_heartbeats_is_kept() -> None:
    with scripted_server() as server, Client(0.1) as client:
        client.addServer("127.0.0.1", server.port)
        server.wait_for(lambda: server.messages.count(EchoReq(PAYLOAD)) >= 3)
        assert len(server.peers) == 1
        client.shutdown()


def test_a_server_that_talks_is_not_asked() -> None:
    with scripted_server() as server, Client(0.5) as client:
        client.addServer("127.0.0.1", server.port)
        server.wait_for(lambda: server.peers)
        for _ in range(20):
            server.peers[0].send(Noop())
            assert client.seen.get(timeout=10) == "noop"
            time.sleep(0.05)
        client.shutdown()
        assert server.messages == [GREETING]


def test_a_handler_that_blocks_is_not_taken_for_a_silent_server() -> None:
    """Nobody reads meanwhile, but the server has answered."""

    class Slow(Client):
        def handleNoop(self, packet: Packet) -> object:
            time.sleep(1.5)
            return super().handleNoop(packet)

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, EchoReq):
            # In one piece: the answer is behind what the handler is busy with.
            peer.send(Noop())
            peer.send(EchoRes(message.payload))

    with scripted_server(answer) as server, Slow(0.5) as client:
        client.addServer("127.0.0.1", server.port)
        assert client.seen.get(timeout=10) == "noop"
        assert client.seen.get(timeout=10) == "noop"
        client.shutdown()
        assert len(server.peers) == 1


@pytest.mark.parametrize("heartbeat", [0, -1])
def test_a_heartbeat_that_cannot_be_kept(heartbeat: float) -> None:
    with pytest.raises(ConfigurationError, match="a heartbeat is a positive number"):
        Client(heartbeat)


# A connection on its own, and one of a client


def test_an_echo_that_nobody_waits_for_is_read_like_any_packet() -> None:
    with scripted_server() as server:
        connection = Connection("127.0.0.1", server.port)
        connection.connect()
        connection.sendEchoReq(b"raw")
        packet = connection.readPacket()
        assert isinstance(packet, Packet)
        assert (packet.ptype, packet.data) == (PacketType.ECHO_RES, b"raw")
        assert connection.echo(b"asked", 10) == b"asked"
        assert not connection.hasPendingData()
        connection.disconnect()


@pytest.mark.parametrize("method", ["disconnect", "reconnect", "connect"])
def test_a_connection_of_a_client_is_made_anew(client: Client, method: str) -> None:
    with scripted_server() as server:
        client.addServer("127.0.0.1", server.port)
        client.waitForServer(10)
        server.wait_for(lambda: server.messages)
        connection = client.getConnection()
        getattr(connection, method)()
        server.wait_for(lambda: server.messages == [GREETING, GREETING])
        client.waitForServer(10)
        assert client.getConnection() is connection
        server.peers[-1].send(Noop())
        assert client.seen.get(timeout=10) == "noop"
        assert connection.echo(b"x", 10) == b"x"
        client.shutdown()


def test_reconnecting_in_a_handler_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    class Reconnecting(Client):
        def handleNoop(self, packet: Packet) -> object:
            with pytest.raises(GearmanError, match="poll thread"):
                self.getConnection().reconnect()
            return super().handleNoop(packet)

    with scripted_server() as server, Reconnecting() as client:
        client.addServer("127.0.0.1", server.port)
        client.waitForServer(10)
        server.wait_for(lambda: server.peers)
        server.peers[0].send(Noop())
        assert client.seen.get(timeout=10) == "noop"
        client.shutdown()
