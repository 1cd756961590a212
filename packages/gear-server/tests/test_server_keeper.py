"""A server whose store holds and fails at will, over real sockets."""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gear_server import Server
from gear_server.network import keeper
from gear_server.queue.store import StoredJob, StoreError
from gear_server.settings import ServerSettings
from gear_wire.codec import decode, encode
from gear_wire.errors import ConfigurationError
from gear_wire.framing import Frame, FrameReader
from gear_wire.packets import (
    BasePacket,
    CanDo,
    EchoReq,
    EchoRes,
    GrabJob,
    JobAssign,
    JobCreated,
    NoJob,
    SubmitJob,
    SubmitJobBg,
    WorkComplete,
)
from gear_wire.types import FunctionName, UniqueKey
from support.memory_store import MemoryStore

NAME = FunctionName(b"f")
TIMEOUT = 30.0
BACKGROUND = SubmitJobBg(NAME, UniqueKey(b""), b"")
FOREGROUND = SubmitJob(NAME, UniqueKey(b""), b"")


class HeldStore(MemoryStore):
    """A store whose writes wait until they are let go.

    Attributes:
        begun: Released when a write begins.
        gate: Released to let one write go.
    """

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def hold(self) -> None:
        self.before = self._wait

    def _wait(self) -> None:
        self.begun.release()
        assert self.gate.acquire(timeout=TIMEOUT)

    def let_go(self) -> None:
        """Let this write and all later ones go."""
        self.before = None
        self.gate.release(10)


class Connection:
    """A connection that sends and reads packets."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), TIMEOUT)
        self._reader = FrameReader()
        self._packets: list[BasePacket] = []

    def send(self, *packets: BasePacket) -> None:
        self.socket.sendall(b"".join(map(encode, packets)))

    def read(self, number: int = 1) -> list[BasePacket]:
        """Return the next packets."""
        while len(self._packets) < number:
            data = self.socket.recv(65536)
            assert data, self._packets
            frames = self._reader.feed(data)
            self._packets += [decode(frame) for frame in frames if isinstance(frame, Frame)]
        packets, self._packets = self._packets[:number], self._packets[number:]
        return packets

    def silent(self) -> bool:
        """Tell whether nothing has come; what was sent before is handled by then."""
        self.socket.setblocking(False)
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return not self._packets
        finally:
            self.socket.settimeout(TIMEOUT)
        raise AssertionError(data)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldStore]:
    held = HeldStore()
    monkeypatch.setattr("gear_server.face.server.open_store", lambda *_, **__: held)
    yield held
    held.let_go()


@pytest.fixture
def server(store: HeldStore) -> Iterator[Server]:
    with Server(0, host="127.0.0.1", queue="sqlite:held") as server:
        yield server
        store.let_go()


@pytest.fixture
def client(server: Server) -> Iterator[Connection]:
    client = Connection(server)
    yield client
    client.socket.close()


@pytest.fixture
def other(server: Server) -> Iterator[Connection]:
    other = Connection(server)
    yield other
    other.socket.close()


def test_only_who_is_owed_an_answer_waits(
    store: HeldStore, client: Connection, other: Connection
) -> None:
    store.hold()
    client.send(EchoReq(b"0"), BACKGROUND, EchoReq(b"1"), FOREGROUND, EchoReq(b"2"))
    assert client.read() == [EchoRes(b"0")]
    assert store.begun.acquire(timeout=TIMEOUT)
    # A foreground job of others is done meanwhile, and so is that which is being written.
    other.send(CanDo(NAME), FOREGROUND, GrabJob(), GrabJob())
    created, first, second = other.read(3)
    assert isinstance(created, JobCreated)
    assert isinstance(first, JobAssign)
    assert isinstance(second, JobAssign)
    other.send(EchoReq(b""))
    assert other.read() == [EchoRes(b"")]
    assert client.silent()
    store.let_go()
    packets = client.read(4)
    assert [type(packet) for packet in packets] == [JobCreated, EchoRes, JobCreated, EchoRes]
    assert packets[1::2] == [EchoRes(b"1"), EchoRes(b"2")]


def test_one_batch_is_on_its_way_while_the_next_is_gathered(
    server: Server, store: HeldStore, client: Connection, other: Connection
) -> None:
    store.hold()
    client.send(BACKGROUND)
    assert store.begun.acquire(timeout=TIMEOUT)
    client.send(*[BACKGROUND] * 5)
    other.send(*[BACKGROUND] * 5, EchoReq(b""))
    assert server.waitFor(lambda: server.counters.submitted == 11, TIMEOUT)
    store.gate.release()
    client.read()
    assert store.begun.acquire(timeout=TIMEOUT)
    store.let_go()
    assert all(isinstance(packet, JobCreated) for packet in client.read(5) + other.read(5))
    other.read()
    assert len(store.jobs) == 11
    assert len(store.batches) == 3  # the first reserves numbers


def test_a_client_that_has_said_all_is_answered(store: HeldStore, client: Connection) -> None:
    store.hold()
    client.send(BACKGROUND)
    assert store.begun.acquire(timeout=TIMEOUT)
    client.socket.shutdown(socket.SHUT_WR)
    store.let_go()
    assert isinstance(client.read()[0], JobCreated)
    assert client.socket.recv(1) == b""


def test_a_client_that_sends_on_waits_for_the_store_without_a_turn(store: HeldStore) -> None:
    settings = ServerSettings(port=0, host="127.0.0.1", queue="sqlite:held", max_send_queue=20_000)
    echo = EchoReq(bytes(1000))
    with Server(settings=settings) as server:
        store.hold()
        client, other = Connection(server), Connection(server)
        client.send(BACKGROUND, *[echo] * 100)
        other.send(EchoReq(b""))
        assert other.read() == [EchoRes(b"")]
        network = server._server
        assert network is not None
        assert server.waitFor(lambda: bool(network._parked), TIMEOUT)
        turn = server._engine.outboxes.turn
        for _ in range(10):
            other.send(EchoReq(b""))
            assert other.read() == [EchoRes(b"")]
        assert server._engine.outboxes.turn - turn < 40
        store.let_go()
        created, *echoes = client.read(101)
        assert isinstance(created, JobCreated)
        assert echoes == [EchoRes(bytes(1000))] * 100
        client.socket.close()
        other.socket.close()


def test_draining_waits_for_answers(store: HeldStore, server: Server, client: Connection) -> None:
    store.hold()
    client.send(BACKGROUND)
    assert store.begun.acquire(timeout=TIMEOUT)
    assert server.undelivered
    assert not server.drain(0)
    store.let_go()
    assert server.drain(TIMEOUT)
    assert isinstance(client.read()[0], JobCreated)


def test_the_last_batch_is_written_at_the_end(
    store: HeldStore, server: Server, client: Connection, other: Connection
) -> None:
    other.send(CanDo(NAME), BACKGROUND)
    created = other.read()[0]
    other.send(GrabJob())
    assert isinstance(created, JobCreated)
    assert isinstance(other.read()[0], JobAssign)
    store.hold()
    client.send(BACKGROUND)
    assert store.begun.acquire(timeout=TIMEOUT)
    other.send(WorkComplete(created.handle, b""), EchoReq(b""))
    assert other.read() == [EchoRes(b"")]
    ending = threading.Thread(target=server.shutdown)
    ending.start()
    store.let_go()
    ending.join(TIMEOUT)
    assert isinstance(client.read()[0], JobCreated)
    assert len(store.jobs) == 1
    assert store.reserved == server._engine.queues.newest


def test_a_store_that_refuses_and_takes_again(
    store: HeldStore, server: Server, client: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gear_server.engine.ledger.RETRY_DELAY", 0.01)
    store.error = StoreError("disk full")
    client.send(BACKGROUND, FOREGROUND)
    refused, created = client.read(2)
    assert refused.code == b"QUEUE_ERROR"  # type: ignore[attr-defined]  # an Error
    assert isinstance(created, JobCreated)
    with server.lock:
        assert server.counters.refused == 1
        assert server.stored_jobs == 0
    store.error = None
    ledger = server._engine.ledger
    assert ledger is not None
    assert server.waitFor(lambda: ledger.failure is None, TIMEOUT)
    client.send(BACKGROUND)
    assert isinstance(client.read()[0], JobCreated)
    assert server.stored_jobs == len(store.jobs) == 1
    counters = server.counters
    assert (counters.stored, counters.confirmed, counters.refused) == (1, 1, 1)
    assert counters.batches == len(store.batches) - 1
    assert counters.store_time > 0


def test_what_is_measured_of_a_store(store: HeldStore) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(TIMEOUT)
        port = statsd.getsockname()[1]
        with Server(
            0, host="127.0.0.1", queue="sqlite:held", statsd_host="127.0.0.1", statsd_port=port
        ) as server:
            client = Connection(server)
            client.send(BACKGROUND)
            client.read()
            client.socket.close()
            lines: list[bytes] = []
            while not any(line.startswith(b"queue.commit:") for line in lines):
                lines += statsd.recv(65536).split(b"\n")
        assert b"queue.stored:1|g" in lines


def test_a_store_that_refuses_at_the_end(
    store: HeldStore, server: Server, client: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    client.send(CanDo(NAME), BACKGROUND)
    client.read()
    client.send(GrabJob())
    (assigned,) = client.read()
    assert isinstance(assigned, JobAssign)
    store.error = StoreError("disk full")
    client.send(WorkComplete(assigned.handle, b""), GrabJob())
    assert client.read() == [NoJob()]
    server.shutdown()
    assert "Not everything is written: disk full" in caplog.text
    assert len(store.jobs) == 1


def test_a_writer_that_dies_ends_the_server(
    store: HeldStore, server: Server, client: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    store.error = MemoryError("none left")
    client.send(BACKGROUND)
    assert client.socket.recv(100) == b""
    server.shutdown()
    assert server.failure is store.error
    assert "The writer of the queue died; ending" in caplog.text
    with pytest.raises(ConnectionRefusedError):
        Connection(server)


def test_a_store_that_hangs_does_not_keep_the_server(
    store: HeldStore,
    server: Server,
    client: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(keeper, "CLOSE_TIMEOUT", 0.1)
    store.hold()
    client.send(BACKGROUND)
    assert store.begun.acquire(timeout=TIMEOUT)
    server.shutdown()
    assert "The queue memory store does not answer: not everything is written" in caplog.text
    assert client.socket.recv(100) == b""


def test_the_log_tells_how_far_loading_is(
    store: HeldStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeper, "PROGRESS", 2)
    caplog.set_level(logging.INFO)
    jobs = [StoredJob(b"H:a:%d" % number, b"f", None, b"", 0) for number in range(5)]
    store.jobs = {job.number: job for job in jobs}
    with Server(0, host="127.0.0.1", queue="sqlite:held") as server:
        assert server.counters.restored == server.stored_jobs == 5
    told = [record.getMessage() for record in caplog.records if "Loaded" in record.getMessage()]
    assert told == [
        "Loaded 2 jobs from memory store so far",
        "Loaded 4 jobs from memory store so far",
        "Loaded 5 jobs from memory store",
    ]


def test_names_that_would_break_a_table_are_left_in_the_store(
    store: HeldStore, caplog: pytest.LogCaptureFixture
) -> None:
    names = [(b"H:a:1", b"f\tg"), (b"H:a b:2", b"f"), (b"H:a:3", b"f" * 1000), (b"H:a:4", b"f")]
    jobs = [StoredJob(handle, name, b"\xff\n", b"", 0) for handle, name in names]
    store.jobs = {job.number: job for job in jobs}
    with Server(0, host="127.0.0.1", queue="sqlite:held") as server:
        assert list(server.jobs) == [b"H:a:4"]
        assert server.stored_jobs == 1
    assert "3 jobs are left in memory store: no worker can register their names" in caplog.text
    assert len(store.jobs) == 4


def test_a_store_that_takes_nothing_at_the_start(store: HeldStore) -> None:
    store.error = StoreError("disk full")
    with pytest.raises(ConfigurationError, match="disk full"):
        Server(0, host="127.0.0.1", queue="sqlite:held")


def test_a_server_in_a_program_keeps_its_jobs(tmp_path: Path) -> None:
    queue = f"sqlite:{tmp_path}/queue.db"
    with Server(0, host="127.0.0.1", queue=queue) as server:
        client = Connection(server)
        client.send(BACKGROUND)
        (created,) = client.read()
        client.socket.close()
    settings = ServerSettings(port=0, host="127.0.0.1", queue=queue)
    with Server(settings=settings) as server:
        assert isinstance(created, JobCreated)
        assert list(server.jobs) == [created.handle]
    with pytest.raises(ConfigurationError, match="queue must be memory, sqlite:PATH or "):
        Server(0, queue="nonsense")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_leaves_the_queue_alone(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    with Server(0, host="127.0.0.1", queue=f"sqlite:{path}") as server:
        child = os.fork()
        if not child:
            os._exit(server.running)
        assert os.waitpid(child, 0)[1] == 0
        client = Connection(server)
        client.send(BACKGROUND)
        assert isinstance(client.read()[0], JobCreated)
        client.socket.close()
        assert path.with_name("queue.db-wal").exists()
