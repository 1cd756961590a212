"""What a server reports to statsd of itself and of its functions."""

import collections
import socket
import threading
from collections.abc import Iterator

import pytest

from gear_server import Server
from gear_server.network.report import PORTION, FunctionReport, key_of
from gear_wire.codec import encode
from gear_wire.framing import Frame, FrameReader
from gear_wire.packets import (
    BasePacket,
    CanDo,
    EchoReq,
    GrabJob,
    JobAssign,
    SubmitJobBg,
    WorkComplete,
    WorkFail,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.engine_desk import Desk, Visitor

NAME = FunctionName(b"f")
NONE = UniqueKey(b"")
SUBMIT = SubmitJobBg(NAME, NONE, b"")
WAIT = 20
FUNCTIONS = 3 * PORTION


class Reader:
    """What a statsd server knows after reports."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.report = FunctionReport(FUNCTIONS)
        self.gauges: dict[str, int] = {}
        self.counters: collections.Counter[str] = collections.Counter()

    def take(self, line: str) -> None:
        key, _, rest = line.partition(":")
        value, _, kind = rest.partition("|")
        if kind == "g":
            self.gauges[key] = int(value)
        else:
            assert kind == "c"
            assert int(value) > 0
            self.counters[key] += int(value)

    def look(self) -> list[str]:
        """Take a report, and return its lines."""
        lines = [
            line
            for portion in self.report.look(self.desk.engine, threading.RLock())
            for line in portion
        ]
        for line in lines:
            self.take(line)
        return lines

    def sum(self, key: str) -> int:
        """Return a counter of all functions together."""
        return sum(count for name, count in self.counters.items() if name.endswith(f".{key}"))


@pytest.fixture
def reader() -> Reader:
    return Reader()


def complete(worker: Visitor) -> None:
    (job,) = [each for each in worker.heard() if isinstance(each, JobAssign)]
    worker.send(WorkComplete(job.handle, b""))


def test_what_has_changed_is_reported_once(reader: Reader) -> None:
    client = reader.desk.visitor(SUBMIT)
    assert set(reader.look()) >= {"function.f.queued_normal:1|g", "function.f.submitted:1|c"}
    client.send(SUBMIT, SUBMIT)
    lines = [line for line in reader.look() if "oldest" not in line]
    assert lines == ["function.f.queued_normal:3|g", "function.f.submitted:2|c"]
    assert not [line for line in reader.look() if "oldest" not in line]


def test_a_job_that_runs_and_ends(reader: Reader) -> None:
    reader.desk.visitor(SUBMIT)
    worker = reader.desk.visitor(CanDo(NAME), GrabJob())
    reader.look()
    assert reader.gauges["function.f.running"] == 1
    reader.desk.wait(2)
    complete(worker)
    reader.look()
    assert reader.gauges["function.f.running"] == 0
    assert reader.counters["function.f.completed"] == 1
    assert reader.counters["function.f.ran_ms"] == 2000


def test_more_functions_than_have_names_are_reported_together(reader: Reader) -> None:
    client = reader.desk.visitor()
    for number in range(FUNCTIONS + 3):
        client.send(SubmitJobBg(FunctionName(b"f%d" % number), NONE, b""))
    most = 24 * PORTION
    assert all(
        len(lines) <= most for lines in reader.report.look(reader.desk.engine, threading.RLock())
    )
    reader.report = FunctionReport(FUNCTIONS)
    reader.look()
    assert reader.counters["other_functions.submitted"] == 3
    assert reader.gauges["other_functions.queued_normal"] == 3
    assert reader.sum("submitted") == FUNCTIONS + 3
    client.send(SubmitJobBg(FunctionName(b"f%d" % (FUNCTIONS + 1)), NONE, b""))
    reader.look()
    assert reader.counters["other_functions.submitted"] == 4


def test_what_a_function_had_that_was_forgotten_is_reported(reader: Reader) -> None:
    client = reader.desk.visitor(SUBMIT)
    worker = reader.desk.visitor(CanDo(NAME), GrabJob())
    reader.look()
    complete(worker)
    worker.leave()
    client.said()
    assert client.ask(b"drop function f\n") == b"OK\r\n"
    reader.look()
    assert reader.gauges["function.f.workers"] == reader.gauges["function.f.running"] == 0
    assert (reader.sum("submitted"), reader.sum("completed")) == (1, 1)
    # It comes back, and counts from the beginning.
    client.send(SUBMIT)
    reader.look()
    assert reader.counters["function.f.submitted"] == 2
    assert reader.sum("submitted") == 2


def test_a_function_that_comes_back_between_two_reports_begins_anew(reader: Reader) -> None:
    client = reader.desk.visitor(SUBMIT, SUBMIT)
    reader.look()
    worker = reader.desk.visitor(CanDo(NAME), GrabJob())
    complete(worker)
    worker.send(GrabJob())
    complete(worker)
    worker.leave()
    client.said()
    assert client.ask(b"drop function f\n") == b"OK\r\n"
    client.send(SUBMIT)
    reader.look()
    assert (reader.sum("submitted"), reader.sum("completed")) == (3, 2)
    assert reader.gauges["function.f.queued_normal"] == 1


def test_what_means_something_to_statsd_is_left_out_of_keys(reader: Reader) -> None:
    assert key_of(b"a.b:c|d@e-F_1\xff") == "function.a_b_c_d_e-F_1_"
    names = [FunctionName(b"a.b"), FunctionName(b"a_b")]
    reader.desk.visitor(*[SubmitJobBg(name, NONE, b"") for name in names])
    reader.look()
    # Two of one key would undo each other's gauges.
    assert reader.counters["function.a_b.submitted"] == 1
    assert reader.counters["other_functions.submitted"] == 1


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(WAIT)
        yield sock


def say(sock: socket.socket, *packets: BasePacket) -> Frame:
    """Send packets, and return the first answer."""
    sock.sendall(b"".join(encode(packet) for packet in packets))
    reader = FrameReader()
    while not (answers := reader.feed(sock.recv(4096))):
        pass
    assert isinstance(answers[0], Frame)
    return answers[0]


def test_a_server_reports_until_it_ends(listener: socket.socket) -> None:
    reader = Reader()
    port = listener.getsockname()[1]
    server = Server(0, host="127.0.0.1", statsd_host="127.0.0.1", statsd_port=port)
    seen = set[str]()

    def read() -> None:
        for line in listener.recv(10000).decode().split("\n"):
            seen.add(line)
            if not line.startswith("packet."):
                reader.take(line)

    with socket.create_connection(("127.0.0.1", server.port), WAIT) as sock:
        created = say(sock, CanDo(NAME), SUBMIT, GrabJob())
        while "function.f.running" not in reader.gauges:
            read()
        sock.sendall(encode(WorkFail(Handle(created.body))) + encode(SUBMIT))
        while "function.f.queued_normal" not in reader.gauges:
            read()
        # Nothing happens but that the job grows older.
        while reader.gauges.get("function.f.oldest_ms", 0) < 1500:
            read()
    server.shutdown()
    while reader.gauges.get("server.connections") != 0:
        read()
    assert {"queue.total:1|g", "server.jobs:1|g", "server.functions:1|g"} <= seen
    assert reader.counters["function.f.failed"] == reader.counters["server.failed"] == 1
    assert reader.counters["server.submitted"] == 2
    assert reader.counters["server.bytes_received"] > 60
    assert reader.counters["server.bytes_sent"] > 30
    assert reader.counters["server.turns"] > 1


def test_bytes_and_turns_are_counted(listener: socket.socket) -> None:
    reader = Reader()
    server = Server(
        0, host="127.0.0.1", statsd_host="127.0.0.1", statsd_port=listener.getsockname()[1]
    )
    large = b"x" * 1_000_000  # read straight into its buffer, and sent in parts
    echo = encode(EchoReq(large))
    with socket.create_connection(("127.0.0.1", server.port), WAIT) as sock:
        sock.sendall(echo)
        left = len(echo)
        while left:
            left -= len(sock.recv(left))
    server.shutdown()
    while reader.gauges.get("server.connections") != 0:
        for line in listener.recv(10000).decode().split("\n"):
            if not line.startswith("packet."):
                reader.take(line)
    assert reader.counters["server.bytes_received"] == len(echo)
    assert reader.counters["server.bytes_sent"] == len(echo)
    assert reader.counters["server.turns"] > 0
    assert reader.counters["server.turn_time_us"] > 0
