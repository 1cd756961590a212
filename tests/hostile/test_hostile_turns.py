"""A peer that asks for much, or reads nothing, delays only itself."""

import socket
from collections.abc import Iterator

import pytest

from gear_wire.codec import encode
from gear_wire.enums import PacketType
from gear_wire.framing import Frame, FrameReader
from gear_wire.packets import CanDo, EchoReq, GrabJob, SubmitJob, SubmitJobBg, WorkComplete
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.fix_geard import Start
from support.geard_program import Geard, receive, send

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


def resident(geard: Geard) -> int:
    """Return the most kibibytes of memory that it has had."""
    with open(f"/proc/{geard.process.pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1])


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
    assert resident(geard) < 300_000


def test_who_reads_no_answers_is_not_read_and_gets_all_of_them_later(start: Start) -> None:
    geard = start()
    payload = b"x" * 100_000
    requests = encode(EchoReq(payload)) * 1000
    with geard.connect() as flood:
        sent = fill(flood, requests)
        assert sent < len(requests) // 2
        assert resident(geard) < 100_000
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
    assert resident(geard) < 300_000
