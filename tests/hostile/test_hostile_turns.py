"""A peer that asks for much, or reads nothing, delays only itself."""

import collections
import contextlib
import itertools
import socket
from collections.abc import Iterator

import pytest

from gear_wire.codec import encode
from gear_wire.enums import PacketType
from gear_wire.framing import Frame, FrameReader
from gear_wire.packets import (
    CanDo,
    EchoReq,
    GrabJob,
    SubmitJob,
    SubmitJobBg,
    WorkComplete,
    WorkData,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.fix_geard import Start
from support.geard_program import receive, send

F, G = FunctionName(b"f"), FunctionName(b"g")
NONE = UniqueKey(b"")
ECHO_SIZE = len(encode(EchoReq(b"")))
MANY = 100_000


def do_a_job(client: socket.socket, worker: socket.socket) -> None:
    send(worker, GrabJob())
    send(client, SubmitJob(F, NONE, b"data"))
    assert receive(client)[0] == PacketType.JOB_CREATED
    while True:
        kind, body = receive(worker)
        if kind == PacketType.JOB_ASSIGN:
            break
        assert kind == PacketType.NO_JOB
        send(worker, GrabJob())
    handle = Handle(body.partition(b"\0")[0])
    send(worker, WorkComplete(handle, b"done"))
    assert receive(client) == (PacketType.WORK_COMPLETE, handle + b"\0done")


def fill(sock: socket.socket, data: bytes) -> int:
    """Send as much as the other side takes without being read; returns how much."""
    sock.settimeout(1)  # there is no event for what does not happen
    sent = 0
    try:
        while sent < len(data):
            sent += sock.send(data[sent : sent + (1 << 20)])
    except TimeoutError:
        pass
    return sent


def packets(sock: socket.socket) -> Iterator[tuple[int, bytes]]:
    reader = FrameReader()
    while data := sock.recv(1 << 20):
        for event in reader.feed(data):
            assert isinstance(event, Frame)
            yield event.type, event.body


@pytest.mark.parametrize("submits", [True, False])
def test_jobs_are_done_while_a_peer_asks_for_more_than_it_reads(
    start: Start, submits: bool
) -> None:
    geard = start()
    with geard.connect() as client, geard.connect() as worker, geard.connect() as flood:
        send(worker, CanDo(F))
        fill(flood, encode(SubmitJobBg(G, NONE, b"") if submits else GrabJob()) * MANY)
        for _ in range(20):
            do_a_job(client, worker)
    assert geard.peak_memory() < 300_000


def test_who_reads_no_answers_is_not_read_and_gets_all_of_them_later(start: Start) -> None:
    geard = start()
    payload = b"x" * 100_000
    requests = encode(EchoReq(payload)) * 1000
    with geard.connect() as flood:
        sent = fill(flood, requests)
        assert sent < len(requests) // 2
        assert geard.peak_memory() < 100_000
        flood.settimeout(30)
        answers = packets(flood)
        for _ in range(sent // (ECHO_SIZE + len(payload))):
            assert next(answers) == (PacketType.ECHO_RES, payload)


def test_a_table_is_read_slowly_by_one_and_at_once_by_another(start: Start) -> None:
    geard = start()
    with geard.connect() as client, geard.connect() as slow:
        client.sendall(encode(SubmitJobBg(F, NONE, b"")) * MANY)
        created = packets(client)
        for _ in range(MANY):
            assert next(created)[0] == PacketType.JOB_CREATED
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"show jobs\n" * 1000)
        with client.makefile("rb") as file:
            client.sendall(b"show jobs\nversion\n")
            rows = 0
            while next(file) != b".\n":
                rows += 1
            assert rows == MANY
            assert next(file).startswith(b"OK ")
    assert geard.ask("version").startswith("OK ")
    assert geard.peak_memory() < 300_000


def test_who_writes_all_before_reading_anything_waits_for_nobody(start: Start) -> None:
    geard = start()
    data, count = b"x" * (2 << 20), 30
    with geard.connect() as client, geard.connect() as worker:
        for _ in range(count):
            client.sendall(encode(SubmitJob(F, NONE, data)))
        send(worker, CanDo(F))
        worker.sendall(encode(GrabJob()) * 4)  # more than it reads before it writes
        kind, body = receive(worker)
        assert kind == PacketType.JOB_ASSIGN
        result = encode(WorkData(Handle(body.partition(b"\0")[0]), data))
        for _ in range(count):
            worker.sendall(result)
        for _ in range(count):
            client.sendall(encode(SubmitJob(F, NONE, data)))
        kinds = collections.Counter(
            kind for kind, _ in itertools.islice(packets(client), 3 * count)
        )
        assert kinds == {PacketType.JOB_CREATED: 2 * count, PacketType.WORK_DATA: count}


def test_many_who_read_no_results_take_no_more_than_the_memory(start: Start) -> None:
    geard = start("--max-memory", str(64 << 20))
    with geard.connect() as client, geard.connect() as worker, contextlib.ExitStack() as closing:
        send(worker, CanDo(F), CanDo(G))
        for _ in range(40):
            slow = closing.enter_context(geard.connect())
            send(slow, SubmitJob(G, NONE, b""))
            assert receive(slow)[0] == PacketType.JOB_CREATED
            send(worker, GrabJob())
            handle = Handle(receive(worker)[1].partition(b"\0")[0])
            send(worker, WorkData(handle, b"x" * (8 << 20)))
            send(worker, WorkComplete(handle, b""))
            do_a_job(client, worker)
        assert geard.peak_memory() < 250_000
        geard.wait_for_log("WARNING .*Dropping slow consumer")


def test_many_who_do_not_end_their_packets_take_no_more_than_the_memory(start: Start) -> None:
    geard = start("--max-memory", str(64 << 20))
    packet = encode(EchoReq(b"x" * (16 << 20)))
    with geard.connect() as client, geard.connect() as worker, contextlib.ExitStack() as closing:
        send(worker, CanDo(F))
        for _ in range(20):
            unending = closing.enter_context(geard.connect())
            with contextlib.suppress(ConnectionError):
                unending.sendall(packet[:-1])
            do_a_job(client, worker)
        geard.wait_for_log("WARNING .*Dropping .* have come, of all connections more than memory")
        assert geard.peak_memory() < 250_000
