"""Servers that send what nobody asked for: it is not believed, not kept, and not logged for ever.

Each is tried on both faces. The connection ends with a reason, and is made anew: what the program
asks afterwards is answered.
"""

import asyncio
import contextlib
import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

import gear
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.framing import HEADER
from gear_wire.link import backlog
from gear_wire.link.address import Keepalive
from gear_wire.loglimit import LINES
from gear_wire.packets import (
    BasePacket,
    CanDo,
    EchoReq,
    EchoRes,
    Error,
    GetStatus,
    GrabJobUniq,
    JobAssign,
    JobAssignAll,
    JobAssignUnique,
    JobCreated,
    NoJob,
    Noop,
    OptionRes,
    PreSleep,
    SetClientID,
    StatusRes,
    StatusResUnique,
    SubmitJob,
    WorkComplete,
    WorkData,
    WorkFail,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support import faces
from support.faces import Face
from support.scripted_server import Peer, ScriptedServer, scripted_server
from support.work_loops import LOOPS

HOST, WAIT = "127.0.0.1", 20.0
H1, H2 = Handle(b"H:1"), Handle(b"H:2")
WORK, NONE = FunctionName(b"work"), UniqueKey(b"")
FACES = ("threads", "asyncio")
ASSIGNED = JobAssignUnique(H1, WORK, NONE, b"forged")


def response(packet: BasePacket) -> bytes:
    return encode(packet, Magic.RES)


ANYONE = {
    "a line": (b"hello\n", "text that nobody asked for: b'hello\\n'"),
    "a line without an end": (b"hello", "text that nobody asked for"),
    "another magic": (b"\0ABC" + bytes(8), "magic b'\\x00ABC' is not acceptable"),
    "a request": (encode(WorkComplete(H1, b"x")), "magic b'\\x00REQ' is not acceptable"),
    "a submission": (response(SubmitJob(WORK, NONE, b"x")), "SUBMIT_JOB that nobody asked for"),
    "an unknown type": (HEADER.pack(0x00524553_00000065, 0), "unknown"),
    "too large a packet": (b"\0RES\0\0\0\x0b\xff\xff\xff\xff", "a packet of 4294967295 bytes"),
    "an option": (response(OptionRes(b"root")), "that nobody asked for"),
    "a handle": (response(JobCreated(H1)), "JOB_CREATED that nobody asked for"),
}
"""What no server sends, and what is said of it."""
TO_WORKERS: dict[str, tuple[type[BasePacket], bytes, str]] = {
    **{name: (CanDo, *attack) for name, attack in ANYONE.items()},
    "a job while asleep": (PreSleep, response(ASSIGNED), "JOB_ASSIGN_UNIQ that nobody asked for"),
    "a job in request magic": (GrabJobUniq, encode(ASSIGNED), "magic b'\\x00REQ'"),
    "a job of another function": (
        GrabJobUniq,
        response(JobAssignUnique(H1, FunctionName(b"format"), NONE, b"forged")),
        "a job of b'format', which is not registered here",
    ),
    "a job without its unique": (
        GrabJobUniq,
        response(JobAssign(H1, WORK, b"forged")),
        "JOB_ASSIGN is no answer to GrabJobUniq",
    ),
    "a job with a reducer": (
        GrabJobUniq,
        response(JobAssignAll(H1, WORK, NONE, FunctionName(b"sum"), b"forged")),
        "JOB_ASSIGN_ALL is no answer to GrabJobUniq",
    ),
    "a job without arguments": (GrabJobUniq, HEADER.pack(0x00524553_0000001F, 0), "takes 4"),
    "a job of a client's": (CanDo, response(WorkComplete(H1, b"x")), "WORK_COMPLETE that nobody"),
}
TO_CLIENTS = {
    **ANYONE,
    "a job": (response(ASSIGNED), "JOB_ASSIGN_UNIQ that nobody asked for"),
    "a wakeup": (response(Noop()), "NOOP that nobody asked for"),
    "a state": (response(StatusRes(H1, b"1", b"1", b"0", b"0")), "STATUS_RES for b'H:1'"),
    "a state by unique": (
        response(StatusResUnique(UniqueKey(b"u"), b"1", b"1", b"0", b"0", b"1")),
        "STATUS_RES_UNIQUE for b'u'",
    ),
}


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


class Attacker:
    """Sends bytes over the first connection when something comes, and behaves over all others."""

    def __init__(self, trigger: type[BasePacket], attack: bytes) -> None:
        self._trigger = trigger
        self._attack = attack
        self._first: Peer | None = None
        self._numbers = itertools.count(2)
        self.honest = 1

    def __call__(self, peer: Peer, message: object) -> None:
        self._first = self._first or peer
        if peer is self._first:
            if isinstance(message, self._trigger):
                peer.sock.sendall(self._attack)
            elif isinstance(message, GrabJobUniq):
                peer.send(NoJob())
        elif isinstance(message, GrabJobUniq):
            peer.send(JobAssignUnique(H2, WORK, NONE, b"honest") if self.honest else NoJob())
            self.honest = 0
        elif isinstance(message, SubmitJob):
            handle = Handle(b"H:%d" % next(self._numbers))
            peer.send(JobCreated(handle))
            peer.send(WorkComplete(handle, message.payload))


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", TO_WORKERS)
def test_a_worker_believes_only_what_it_asked_for(
    face: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    trigger, attack, reason = TO_WORKERS[name]
    done: list[bytes] = []
    ended = threading.Event()

    def work(payload: bytes) -> bytes:
        done.append(payload)
        ended.set()
        return b""

    with scripted_server(Attacker(trigger, attack)) as server:
        loop = LOOPS[face]([(HOST, server.port)], work)
        assert ended.wait(WAIT)
        loop.close()
    assert done == [b"honest"]
    assert [line for line in complaints(caplog) if reason in line] == complaints(caplog)
    assert len(complaints(caplog)) == 1


def submit(face: Face, payload: bytes) -> bytes:
    """Return the result of a job; submitted again if the connection was just being lost."""
    deadline = time.monotonic() + WAIT
    while True:
        try:
            return face.submit("echo", payload).result()
        except (gear.ConnectionError, gear.NoConnectedServersError, gear.JobFailedError):
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", TO_CLIENTS)
def test_a_client_believes_only_what_it_asked_for(
    face: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    attack, reason = TO_CLIENTS[name]
    with scripted_server(Attacker(SetClientID, attack)) as server:
        with faces.connected(face, [(HOST, server.port)]) as client:
            server.wait_for(lambda: len(server.peers) == 2)
            assert submit(client, b"honest") == b"honest"
    assert [line for line in complaints(caplog) if reason in line] == complaints(caplog)
    assert len(complaints(caplog)) == 1


# Who waits


def wrong_answer(peer: Peer, message: object) -> None:
    """Take jobs, and answer questions with something else."""
    if isinstance(message, SubmitJob) and message.payload == b"taken":
        peer.send(JobCreated(H1))
    elif isinstance(message, SubmitJob | GetStatus):
        peer.send(OptionRes(b"root"))


REASON = r"OPTION_RES b'root' that nobody asked for"


@pytest.mark.parametrize("face", FACES)
def test_the_error_of_who_waits_names_the_reason(face: str) -> None:
    with scripted_server(wrong_answer) as server:
        with faces.connected(face, [(HOST, server.port)]) as client:
            task = client.submit("work", b"taken")
            with pytest.raises(gear.ConnectionError, match=REASON):
                client.state(task)
            with pytest.raises(gear.JobFailedError, match=f"lost its server .*{REASON}"):
                task.result()


@pytest.mark.parametrize("face", FACES)
def test_a_server_that_does_so_each_time_is_tried_ever_less_often(
    face: str, caplog: pytest.LogCaptureFixture
) -> None:
    came = threading.Semaphore(0)

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, SetClientID):
            came.release()
            peer.send(Noop())

    caplog.set_level(logging.INFO, "gear")
    with scripted_server(answer) as server:
        with faces.connected(face, [(HOST, server.port)]):
            begun = time.monotonic()
            for _ in range(7):
                assert came.acquire(timeout=WAIT)
            assert time.monotonic() - begun > 0.6  # at least half of 0.05, 0.1, 0.2, 0.4 and 0.8
    lines = [line for line in caplog.messages if str(server.port) in line]
    assert len(lines) <= LINES + 1


# Floods


def flooding(packet: BasePacket) -> Callable[[Peer, object], None]:
    """Return what answers an echo behind many packets."""

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, EchoReq):
            peer.sock.sendall(response(packet) * MANY)
            peer.send(EchoRes(message.payload))

    return answer


MANY = 3000


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    "packet", [Error(b"NO", b"forged\nline"), WorkFail(H1), WorkComplete(H1, b"x")], ids=str
)
def test_a_flood_writes_a_few_lines(
    face: str, packet: BasePacket, caplog: pytest.LogCaptureFixture
) -> None:
    with scripted_server(flooding(packet)) as server:
        with faces.connected(face, [(HOST, server.port)]) as client:
            assert client.echo(b"x") == b"x"
    lines = complaints(caplog)
    assert len(lines) == LINES + 1
    assert lines[-1].endswith(f": {MANY - LINES} more, not logged")


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("packet", [Noop(), EchoRes(b"x")], ids=str)
def test_what_means_nothing_writes_nothing(
    face: str, packet: BasePacket, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, GrabJobUniq):
            peer.sock.sendall(response(packet) * MANY)
            peer.send(JobAssignUnique(H1, WORK, NONE, b"x"))

    def work(payload: bytes) -> bytes:
        done.set()
        return payload

    with scripted_server(answer) as server:
        loop = LOOPS[face]([(HOST, server.port)], work)
        assert done.wait(WAIT)
        loop.close()
    assert complaints(caplog) == []


# What is endless


@contextlib.contextmanager
def pouring(piece: bytes) -> Iterator[tuple[ScriptedServer, list[int]]]:
    """A server that answers anything with as much as is taken, in pieces."""
    poured: list[int] = []

    def answer(peer: Peer, message: object) -> None:
        with contextlib.suppress(OSError):
            while len(poured) < 256:
                peer.sock.sendall(piece)
                poured.append(len(piece))

    with scripted_server(answer) as server:
        yield server, poured


ENDLESS = {"a line": b"x" * (1 << 20), "a table": b"f\t0\t0\t0\n" * (1 << 17)}
LIMIT = 3 << 20


def ask_in_threads(port: int) -> None:
    with gear.AdminClient(HOST, port, max_reply_size=LIMIT) as admin:
        admin.status()


def ask_on_asyncio(port: int) -> None:
    async def ask() -> None:
        async with gear.AsyncAdminClient(HOST, port, max_reply_size=LIMIT) as admin:
            await admin.status()

    asyncio.run(ask())


ASK = {"threads": ask_in_threads, "asyncio": ask_on_asyncio}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("what", ENDLESS)
def test_an_endless_reply_is_cut_off(face: str, what: str) -> None:
    with pouring(ENDLESS[what]) as (server, poured):
        with pytest.raises(gear.ConnectionError, match=f"a (reply|line) of over {LIMIT} bytes"):
            ASK[face](server.port)
    assert sum(poured) < 64 << 20


@pytest.mark.parametrize("face", FACES)
def test_packets_for_who_asked_for_text_are_not_kept(face: str) -> None:
    with pouring(response(Noop()) * 10_000) as (server, _):
        with pytest.raises(gear.ConnectionError, match=r"that nobody (takes|asked for)"):
            ASK[face](server.port)


@pytest.mark.parametrize("face", FACES)
def test_an_endless_line_to_a_client_ends_as_it_begins(
    face: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pouring(ENDLESS["a line"]) as (server, poured):
        with faces.connected(face, [(HOST, server.port)]):
            server.wait_for(lambda: len(server.peers) > 1)
    assert sum(poured) < 64 << 20
    (complaint,) = set(complaints(caplog))
    assert "text that nobody asked for" in complaint or "a line of over" in complaint


def small(keepalive: Keepalive, sock: socket.socket) -> None:
    """Have a socket that is about to be connected hold little."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


@pytest.mark.parametrize("face", FACES)
def test_a_server_that_reads_nothing_has_no_worker_talk_without_end(
    face: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MAX_BACKLOG", 1 << 16)
    # The kernel would take megabytes that nobody reads.
    monkeypatch.setattr(Keepalive, "apply", small)
    sent: list[int] = []

    def pour(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        listener.close()
        with sock, contextlib.suppress(OSError):
            sock.recv(1)
            while len(sent) < 500:
                sock.sendall(response(Noop()) * 2 + (response(NoJob()) + response(Noop())) * 2000)
                sent.append(1)

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind((HOST, 0))
        listener.listen()
        thread = threading.Thread(target=pour, args=(listener,))
        thread.start()
        loop = LOOPS[face]([listener.getsockname()[:2]], lambda payload: payload)
        thread.join(60)
        loop.close()
    assert len(sent) < 500
    assert "bytes that it does not take" in caplog.text


@pytest.mark.parametrize("face", FACES)
def test_data_without_end_fails_the_job(face: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gear.Job, "max_data_size", LIMIT)
    data = response(WorkData(H1, b"x" * 1000)) * 5000

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, SubmitJob):
            peer.send(JobCreated(H1))
            peer.sock.sendall(data)
        elif isinstance(message, EchoReq):
            peer.send(EchoRes(message.payload))

    with scripted_server(answer) as server:
        with faces.connected(face, [(HOST, server.port)]) as client:
            task = client.submit("work", b"")
            with pytest.raises(gear.JobFailedError, match=f"was sent data of over {LIMIT} bytes"):
                task.result()
            assert client.echo(b"x") == b"x"
            assert sum(map(len, task.job.data)) <= LIMIT
