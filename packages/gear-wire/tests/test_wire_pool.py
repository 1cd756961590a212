"""BaseClient: several servers, one poll thread, reconnection, over real sockets."""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from gear_wire.errors import (
    ConfigurationError,
    ConnectionError,
    GearmanError,
    InterruptedError,
    InvalidDataError,
    NoConnectedServersError,
    TimeoutError,
)
from gear_wire.jobs import BaseJob
from gear_wire.link.threads.client import BaseClient
from gear_wire.link.threads.connection import Connection
from gear_wire.packet import Packet
from gear_wire.packets import BasePacket, JobCreated, Noop, SetClientID
from gear_wire.session import Session
from gear_wire.types import ClientID, Handle
from support.scripted_server import ScriptedServer, scripted_server


class EchoSession(Session):
    """Introduces itself and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.applied: list[BasePacket] = []

    def greet(self) -> None:
        self.queue(SetClientID(ClientID(b"me")))

    def apply(self, packet: BasePacket) -> object:
        self.applied.append(packet)
        return packet


class Pool(BaseClient):
    """A client that handles nothing but what the tests override."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.changed = threading.Condition()
        super().__init__("pool")

    def _new_session(self, connection: Connection) -> Session:
        return EchoSession()

    def note(self, what: object) -> None:
        with self.changed:
            self.seen.append(what)
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], object]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, 10)

    def handleJobCreated(self, packet: Packet) -> object:
        self.note(packet.getArgument(0))
        return self._apply(packet)

    def handleNoop(self, packet: Packet) -> object:
        raise RuntimeError("a handler that raises")

    def handleDisconnect(self, job: BaseJob) -> None:
        self.note(job)


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    pool.shutdown()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("Gearman client")]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


def test_it_connects_and_greets(pool: Pool, server: ScriptedServer) -> None:
    pool.addServer("127.0.0.1", str(server.port))
    pool.waitForServer(10)
    server.wait_for(lambda: server.messages)
    assert server.messages == [SetClientID(ClientID(b"me"))]
    assert pool.getConnection().echo(b"x") == b"x"


def test_packets_reach_the_handlers_in_order(pool: Pool, server: ScriptedServer) -> None:
    pool.addServer("127.0.0.1", server.port)
    pool.waitForServer(10)
    server.wait_for(lambda: server.peers)
    for number in range(100):
        server.peers[0].send(JobCreated(Handle(b"%d" % number)))
    pool.wait_for(lambda: len(pool.seen) == 100)
    assert pool.seen == [b"%d" % number for number in range(100)]


def test_a_handler_that_raises_stalls_nothing(
    pool: Pool, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    pool.addServer("127.0.0.1", server.port)
    pool.waitForServer(10)
    server.wait_for(lambda: server.peers)
    with caplog.at_level(logging.ERROR):
        server.peers[0].send(Noop())
        server.peers[0].send(JobCreated(Handle(b"H:1")))
        pool.wait_for(lambda: pool.seen)
    assert "a handler that raises" in caplog.text


def test_it_reconnects_and_greets_again(pool: Pool, server: ScriptedServer) -> None:
    pool.addServer("127.0.0.1", server.port)
    pool.waitForServer(10)
    server.wait_for(lambda: len(server.messages) == 1)
    job = BaseJob("reverse", b"")
    pool.getConnection().related_jobs[b"H:1"] = job
    server.drop()
    pool.wait_for(lambda: pool.seen)
    assert pool.seen == [job]
    server.wait_for(lambda: len(server.messages) == 2)
    pool.waitForServer(10)
    assert pool.getConnection().echo(b"again") == b"again"


def test_servers_take_turns(pool: Pool) -> None:
    with scripted_server() as one, scripted_server() as two:
        pool.addServer("127.0.0.1", one.port)
        pool.addServer("127.0.0.1", two.port)
        with pool.connections_condition:
            assert pool.connections_condition.wait_for(
                lambda: len(pool.active_connections) == 2, 10
            )
        ports = [pool.getConnection().port for _ in range(4)]
        assert sorted(ports[:2]) == sorted((one.port, two.port))
        assert ports[:2] == ports[2:]
        pool.shutdown()


def test_a_lost_server_wakes_who_waits(pool: Pool) -> None:
    with scripted_server(lambda peer, message: None) as server:
        pool.addServer("127.0.0.1", server.port)
        pool.waitForServer(10)
        connection = pool.getConnection()
        failed: list[Exception] = []

        def ask() -> None:
            try:
                connection.echo(timeout=60)
            except ConnectionError as error:
                failed.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        server.wait_for(lambda: len(server.messages) == 2)
        server.drop()
        thread.join(10)
        assert failed
        pool.shutdown()


def test_waitForServer_ends_in_time_and_at_shutdown(pool: Pool) -> None:
    with pytest.raises(TimeoutError, match=r"0\.05 s"):
        pool.waitForServer(0.05)
    with pytest.raises(NoConnectedServersError):
        pool.getConnection()
    timer = threading.Timer(0.05, pool.shutdown)
    timer.start()
    with pytest.raises(InterruptedError):
        pool.waitForServer()
    timer.join()
    with pytest.raises(InterruptedError):
        pool.addServer("127.0.0.1", 4730)


def test_blocking_calls_in_a_handler_raise_at_once(server: ScriptedServer) -> None:
    class Blocking(Pool):
        def handleJobCreated(self, packet: Packet) -> object:
            for call in (self.getConnection().echo, self.waitForServer):
                try:
                    call()
                except GearmanError as error:
                    self.note(error)
            return None

    pool = Blocking()
    pool.addServer("127.0.0.1", server.port)
    pool.waitForServer(10)
    server.wait_for(lambda: server.peers)
    server.peers[0].send(JobCreated(Handle(b"H:1")))
    pool.wait_for(lambda: len(pool.seen) == 2)
    assert all("poll thread" in str(error) for error in pool.seen)
    pool.shutdown()


def test_shutdown_in_a_handler_and_twice(server: ScriptedServer) -> None:
    class Ending(Pool):
        def handleJobCreated(self, packet: Packet) -> object:
            self.shutdown()
            self.note("ended")
            return None

    pool = Ending()
    pool.addServer("127.0.0.1", server.port)
    pool.waitForServer(10)
    server.wait_for(lambda: server.peers)
    loop = pool._loop
    server.peers[0].send(JobCreated(Handle(b"H:1")))
    pool.wait_for(lambda: pool.seen)
    pool.shutdown()
    assert loop is not None
    loop.thread.join(10)
    assert not loop.thread.is_alive()


def test_a_server_added_twice(pool: Pool, server: ScriptedServer) -> None:
    pool.addServer("127.0.0.1", server.port)
    with pytest.raises(ConfigurationError, match="added before"):
        pool.addServer("127.0.0.1", server.port)


def test_broadcast_reaches_all(pool: Pool) -> None:
    with scripted_server() as one, scripted_server() as two:
        pool.addServer("127.0.0.1", one.port)
        pool.addServer("127.0.0.1", two.port)
        with pool.connections_condition:
            assert pool.connections_condition.wait_for(
                lambda: len(pool.active_connections) == 2, 10
            )
        pool.broadcast(Packet(b"\0REQ", 4, b""))
        for server in (one, two):
            server.wait_for(lambda server=server: len(server.messages) == 2)  # type: ignore[misc]  # a lambda with a default
        pool.shutdown()


def test_timing_stats_when_asked_for(server: ScriptedServer) -> None:
    class Timed(Pool):
        def reportTimingStats(self, ptype: int, duration: float) -> None:
            self.note((ptype, duration >= 0))

    pool = Timed()
    pool.addServer("127.0.0.1", server.port)
    pool.waitForServer(10)
    pool.getConnection().echo(b"x")
    pool.wait_for(lambda: pool.seen)
    assert pool.seen == [(17, True)]
    pool.shutdown()


def test_unknown_packet_types_reach_handlePacket(
    pool: Pool, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    class Curious(Pool):
        def handlePacket(self, packet: Packet) -> object:
            self.note(packet.ptype)
            return None if packet.ptype == 101 else super().handlePacket(packet)

    curious = Curious()
    for each in (curious, pool):
        each.addServer("127.0.0.1", server.port)
        each.waitForServer(10)
    server.wait_for(lambda: len(server.peers) == 2)
    with caplog.at_level(logging.ERROR):
        for peer in server.peers[:]:
            peer.sock.sendall(Packet(b"\0RES", 101, b"x").toBinary())
        curious.wait_for(lambda: curious.seen == [101])
        server.wait_for(lambda: len(server.peers) == 3)
    assert len(caplog.messages) == 1
    assert "what it sent: a packet of unknown type 101 that nobody asked for" in caplog.text
    curious.shutdown()


def test_a_client_id_without_nul() -> None:
    with pytest.raises(InvalidDataError, match="a client id must not hold a NUL"):
        BaseClient("a\0b")
