"""Typed functions called from threads and asyncio, with a server that does what a test says."""

import copy
import pickle
import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest

from gear_client import App, AsyncClient, Client, RemoteError, StreamJob, TypedJob
from gear_client.calls import CallJob
from gear_wire.errors import (
    GearmanError,
    InvalidDataError,
    JobFailedError,
    NoConnectedServersError,
    ServerError,
    TimeoutError,
)
from gear_wire.packets import (
    BasePacket,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
    WorkWarning,
)
from gear_wire.types import Handle
from support.client_peers import WAIT, run
from support.scripted_jobs import Jobs
from support.scripted_server import Peer, ScriptedServer

app = App()


class Point(msgspec.Struct):
    x: int


class RefusedError(Exception):
    pass


@app.declaration("hold", raises=[RefusedError])
def point(x: int) -> Point:
    raise NotImplementedError


raw_app, stream_app = App(), App()


@raw_app.declaration("hold")
def text(word: str) -> str:
    raise NotImplementedError


@stream_app.declaration("hold")
def points(limit: int) -> Iterator[Point]:
    raise NotImplementedError


@app.declaration()
def reverse(data: bytes) -> bytes:
    raise NotImplementedError


@app.declaration()
def refuse() -> None:
    raise NotImplementedError


@app.declaration()
def silence() -> None:
    raise NotImplementedError


def start(client: Client, jobs: Jobs) -> tuple[TypedJob[Point], Peer, Handle]:
    job = client.start(point, 1)
    return job, *jobs.held[-1]


def stream(client: Client, jobs: Jobs) -> tuple[StreamJob[Point], Peer, Handle]:
    job = client.start(points, 1)
    return job, *jobs.held[-1]


def test_a_result_is_the_data_of_work_complete(client: Client, jobs: Jobs) -> None:
    job, peer, handle = start(client, jobs)
    assert (job.job.binary_name, job.job.arguments, job.handle) == (b"hold", b'{"x":1}', handle)
    assert (job.done, job.progress) == (False, None)
    for packet in (
        WorkData(handle, b"news"),
        WorkWarning(handle, b"care\xff"),
        WorkStatus(handle, b"1", b"4"),
        WorkComplete(handle, b'{"x":2}'),
    ):
        peer.send(packet)
    assert job.result(WAIT) == Point(2)
    assert (job.done, job.progress, job.warnings) == (True, 0.25, ["care\ufffd"])
    assert [type(update) for update in job.updates()] == [WorkData, WorkWarning, WorkStatus]
    assert repr(job).startswith("<gear.TypedJob of <gear.CallJob ")


def test_a_worker_may_send_its_result_in_parts(client: Client, jobs: Jobs) -> None:
    job, peer, handle = start(client, jobs)
    for part in (b'{"x"', b":3}"):
        peer.send(WorkData(handle, part))
    peer.send(WorkComplete(handle, b""))
    assert job.result(WAIT) == Point(3)

    raw = client.start(text, "word")
    peer, handle = jobs.held[-1]
    peer.send(WorkData(handle, b"a"))
    peer.send(WorkWarning(handle, b"no part of it"))
    peer.send(WorkComplete(handle, b"b"))
    assert raw.result(WAIT) == "ab"


@pytest.mark.parametrize("data", [b"", b"{", b'{"x":"1"}', b"\xff", b"[" * 9999])
def test_a_result_that_is_none(client: Client, jobs: Jobs, data: bytes) -> None:
    job, peer, handle = start(client, jobs)
    peer.send(WorkComplete(handle, data))
    with pytest.raises(InvalidDataError, match="the result of hold"):
        job.result(WAIT)


def test_an_item_may_come_with_the_end(client: Client, jobs: Jobs) -> None:
    job, peer, handle = stream(client, jobs)
    items = job.items(WAIT)
    peer.send(WorkData(handle, b'{"x":1}'))
    assert next(items) == Point(1)
    peer.send(WorkWarning(handle, b"careful"))
    peer.send(WorkData(handle, b'{"x":2}'))
    peer.send(WorkComplete(handle, b'{"x":3}'))
    assert job.wait(WAIT)
    assert next(items) == Point(2)
    assert job.result() == [Point(3)]
    assert [*items] == [Point(3)]
    assert [type(update) for update in job.updates()] == [WorkWarning]


def test_an_item_that_is_none(client: Client, jobs: Jobs) -> None:
    job, peer, handle = stream(client, jobs)
    peer.send(WorkData(handle, b'{"x":"a"}'))
    with pytest.raises(InvalidDataError, match=r"the result of hold: \$\.x: expected int, got str"):
        next(job.items(WAIT))


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b'{"type":"RefusedError","message":"no","args":["no",5]}', RefusedError, r"\('no', 5\)"),
        (b'{"type":"RefusedError","message":"no"}', RefusedError, r"^no$"),
        (b'{"type":"OtherError","message":"no"}', RemoteError, r"^hold: OtherError: no$"),
        (b"it broke", RemoteError, r"^hold: it broke$"),
        (b"", RemoteError, r"^hold: $"),
    ],
)
def test_what_a_worker_raised(
    client: Client, jobs: Jobs, data: bytes, kind: type[Exception], message: str
) -> None:
    job, peer, handle = start(client, jobs)
    peer.send(WorkException(handle, data))
    peer.send(WorkFail(handle))  # as Perl's workers do
    for _ in range(2):
        with pytest.raises(kind, match=message):
            job.result(WAIT)


def test_a_failure_of_which_nothing_is_known(client: Client, jobs: Jobs) -> None:
    job, peer, handle = start(client, jobs)
    peer.send(WorkFail(handle))
    with pytest.raises(JobFailedError, match="failed") as failure:
        job.result(WAIT)
    assert type(failure.value) is JobFailedError


def test_a_server_that_is_lost(client: Client, jobs: Jobs) -> None:
    job, peer, _ = start(client, jobs)
    peer.sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(JobFailedError, match="lost its server"):
        job.result(WAIT)


def test_a_server_that_refuses_or_says_nothing(client: Client) -> None:
    with pytest.raises(ServerError, match="queue is full"):
        client.call(refuse)
    with pytest.raises(TimeoutError, match="has not answered SUBMIT_JOB"):
        client.call(silence.using(timeout=0.05))
    with pytest.raises(NoConnectedServersError):
        Client().call(reverse, b"")


def test_times(client: Client, jobs: Jobs) -> None:
    job, peer, handle = start(client, jobs)
    assert not job.wait(0.01)
    for wait in (job.result, lambda limit: [*job.updates(limit)]):
        with pytest.raises(TimeoutError) as late:
            wait(0.01)
        assert str(late.value) == f"hold ({handle.decode()}) has not ended in 0.01 s"
    hasty = client.start(point.using(timeout=0.02), 1)
    assert not hasty.wait()
    with pytest.raises(TimeoutError, match=r"has not ended in 0\.02 s"):
        hasty.result(60)
    with pytest.raises(TimeoutError, match=r"has not ended in 0\.01 s"):
        next(client.start(points, 1).items(0.01))
    peer.send(WorkComplete(handle, b'{"x":1}'))
    assert job.wait(WAIT)


def test_a_call_waits_nowhere_in_a_handler(server: ScriptedServer) -> None:
    refused = threading.Event()

    class Calling(Client):
        def handleEchoRes(self, packet: object) -> None:
            with pytest.raises(GearmanError, match="poll thread"):
                self.call(reverse, b"")
            refused.set()

    with Calling() as client:
        client.addServer("127.0.0.1", server.port)
        client.waitForServer(WAIT)
        client.getConnection().sendEchoReq(b"now")
        assert refused.wait(WAIT)


def test_a_subclass_has_names_of_its_own(server: ScriptedServer) -> None:
    class Own(Client):
        def start(self, *args: object, **kwargs: object) -> None:  # type: ignore[override]  # such as programs have
            raise AssertionError

    with Own() as client:
        client.addServer("127.0.0.1", server.port)
        client.waitForServer(WAIT)
        assert client.call(reverse, b"abc") == b"cba"


def test_a_copy_of_a_job_is_a_value(client: Client, jobs: Jobs) -> None:
    job, peer, handle = start(client, jobs)
    peer.send(WorkWarning(handle, b"one"))
    assert isinstance(next(job.updates(WAIT)), WorkWarning)
    peer.send(WorkStatus(handle, b"1", b"2"))
    peer.send(WorkComplete(handle, b'{"x":1}'))
    assert job.wait(WAIT)
    for copied in (copy.copy(job.job), pickle.loads(pickle.dumps(job.job))):
        assert (copied.warnings, copied.last, len(copied.updates)) == ([b"one"], b'{"x":1}', 1)
        copied.warnings.clear()
        copied.updates.clear()
    assert (len(job.job.warnings), len(job.job.updates)) == (1, 1)


def test_warnings_count_for_what_a_job_may_keep(
    client: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CallJob, "max_data_size", 3000)
    job, peer, handle = start(client, jobs)
    for _ in range(20):
        peer.send(WorkWarning(handle, b"w" * 100))
    with pytest.raises(JobFailedError, match="was sent data of over 3000 bytes"):
        job.result(WAIT)
    assert len(job.warnings) < 20


def test_updates_that_nobody_takes_are_limited(client: Client, jobs: Jobs) -> None:
    job, peer, handle = start(client, jobs)
    for number in range(2000):
        peer.send(WorkStatus(handle, b"%d" % number, b"2000"))
    peer.send(WorkComplete(handle, b'{"x":1}'))
    assert job.wait(WAIT)
    updates: list[BasePacket] = [*job.updates()]
    assert updates[0] == WorkStatus(handle, b"976", b"2000")
    assert updates[-1] == WorkStatus(handle, b"1999", b"2000")


def test_on_asyncio(server: ScriptedServer, jobs: Jobs) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.start(point, x=1)
        peer, handle = jobs.held[-1]
        assert (job.job.arguments, job.handle, job.done) == (b'{"x":1}', handle, False)
        assert not await job.wait(0.01)
        with pytest.raises(TimeoutError) as late:
            await job.result(0.01)
        assert str(late.value) == f"hold ({handle.decode()}) has not ended in 0.01 s"
        peer.send(WorkWarning(handle, b"careful"))
        peer.send(WorkData(handle, b"news"))
        updates = job.updates(WAIT)
        assert isinstance(await anext(updates), WorkWarning)
        assert isinstance(await anext(updates), WorkData)
        with pytest.raises(TimeoutError, match=r"has not ended in 0\.01 s"):
            await anext(job.updates(0.01))
        peer.send(WorkComplete(handle, b'{"x":2}'))
        assert [await job, await job.result()] == [Point(2)] * 2
        assert [update async for update in updates] == []
        assert (job.done, job.warnings, job.progress) == (True, ["careful"], None)
        assert repr(job).startswith("<gear.AsyncTypedJob of <gear.AsyncCallJob ")

        items = await client.start(points, 1)
        peer, handle = jobs.held[-1]
        given = items.items(WAIT)
        peer.send(WorkData(handle, b'{"x":1}'))
        assert await anext(given) == Point(1)
        peer.send(WorkException(handle, b'{"type":"KeyError","message":"x"}'))
        with pytest.raises(RemoteError, match="KeyError"):
            await anext(given)

        hasty = await client.start(point.using(timeout=0.02), 1)
        with pytest.raises(TimeoutError, match=r"has not ended in 0\.02 s"):
            await hasty
        assert await client.call(reverse, b"abc") == b"cba"
        with pytest.raises(ServerError):
            await client.call(refuse)
        job = await client.start(point.using(background=True), 1)
        assert not job.done
        with pytest.raises(InvalidDataError, match="in the background"):
            await job

    run(server.port, test)
