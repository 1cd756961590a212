"""An answer that never comes, or comes late, is not taken for another; and shifts none."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from gear_client import AsyncClient, Client
from gear_wire.errors import TimeoutError
from gear_wire.packets import (
    GetStatus,
    GetStatusUnique,
    OptionReq,
    OptionRes,
    StatusRes,
    StatusResUnique,
)
from gear_wire.types import Handle, UniqueKey
from support.client_peers import WAIT, LateJobs, connected, run
from support.scripted_jobs import Jobs
from support.scripted_server import Peer, ScriptedServer, scripted_server


class Counting(Jobs):
    """Numbers its answers to questions for a state, and swallows the first."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def __call__(self, peer: Peer, message: object) -> None:
        if isinstance(message, GetStatus | GetStatusUnique):
            self.asked += 1
            number = b"%d" % self.asked
            if self.asked == 1:
                return
            if isinstance(message, GetStatus):
                peer.send(StatusRes(message.handle, b"1", b"1", number, b"9"))
            else:
                peer.send(StatusResUnique(message.unique, b"1", b"1", number, b"9", b"1"))
        else:
            super().__call__(peer, message)


@pytest.fixture
def counting() -> Iterator[ScriptedServer]:
    with scripted_server(Counting()) as server:
        yield server


@pytest.fixture
def client(counting: ScriptedServer) -> Iterator[Client]:
    client = connected(counting)
    yield client
    client.shutdown()


def test_a_state_that_never_comes_shifts_no_other(client: Client) -> None:
    with pytest.raises(TimeoutError):
        client.getStatus(b"H:1", timeout=0.05)
    assert [client.getStatus(b"H:1", WAIT).numerator for _ in range(3)] == [2, 3, 4]


def test_a_state_by_unique_that_never_comes_shifts_no_other(client: Client) -> None:
    with pytest.raises(TimeoutError):
        client.getStatusByUnique(b"u", timeout=0.05)
    assert [client.getStatusByUnique(b"u", WAIT).numerator for _ in range(3)] == [2, 3, 4]


def test_on_asyncio_a_state_that_never_comes_shifts_no_other(counting: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        with pytest.raises(TimeoutError):
            await client.status(b"H:1", timeout=0.05)
        assert [(await client.status(b"H:1", WAIT)).numerator for _ in range(3)] == [2, 3, 4]

    run(counting.port, test)


def test_a_question_that_is_cancelled_shifts_no_other(counting: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        asking = asyncio.ensure_future(client.status_by_unique("u", None))
        question = GetStatusUnique(UniqueKey(b"u"))
        await asyncio.to_thread(counting.wait_for, lambda: question in counting.messages)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await client.status_by_unique("u", WAIT)).numerator == 2

    run(counting.port, test)


class Late(LateJobs):
    """Answers all that it is asked late, in order; each state has another number."""

    def __init__(self) -> None:
        super().__init__(lambda message: False)
        self.answered = 0

    def __call__(self, peer: Peer, message: object) -> None:
        if isinstance(message, GetStatus) and not self.late(message):
            self.answered += 1
            peer.send(StatusRes(message.handle, b"1", b"1", b"%d" % self.answered, b"9"))
        else:
            super().__call__(peer, message)

    def answer_all(self) -> None:
        """Answer all that is waiting."""
        self.late = lambda message: False
        for peer, message in self.waiting:
            self(peer, message)


def test_a_state_that_comes_late_is_not_taken_for_the_next() -> None:
    jobs = Late()
    with scripted_server(jobs) as server:
        client = connected(server)
        client.echo(timeout=WAIT)
        jobs.late = lambda message: True
        with pytest.raises(TimeoutError):
            client.getStatus(b"H:1", timeout=0.05)
        numerators: list[int] = []
        asking = threading.Thread(
            target=lambda: numerators.append(client.getStatus(b"H:1", WAIT).numerator)
        )
        asking.start()
        server.wait_for(lambda: server.messages.count(GetStatus(Handle(b"H:1"))) == 2)
        jobs.answer_all()
        asking.join()
        assert numerators == [2]
        client.shutdown()


class Mute(Jobs):
    """Answers no option but `exceptions`, until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.mute = True

    def __call__(self, peer: Peer, message: object) -> None:
        if not isinstance(message, OptionReq):
            super().__call__(peer, message)
        elif message.option == b"exceptions" or not self.mute:
            peer.send(OptionRes(message.option))


def test_an_option_that_is_never_answered_is_forgotten() -> None:
    jobs = Mute()
    with scripted_server(jobs) as server:
        client = connected(server)
        assert not client.setOption("other", timeout=0.05)
        client.echo(timeout=WAIT)
        session = client.active_connections[0].session
        assert list(vars(session)["_queue"]) == []
        jobs.mute = False
        assert client.setOption("other", WAIT)
        client.shutdown()


def test_a_reply_that_comes_late_is_not_taken_for_the_next() -> None:
    jobs = LateJobs(lambda message: isinstance(message, bytes))
    with scripted_server(jobs) as server:
        client = connected(server)
        with pytest.raises(TimeoutError):
            client.cancelJob(b"H:7", timeout=0.05)
        jobs.held.append((server.peers[0], Handle(b"H:8")))
        cancelled: list[bool] = []
        asking = threading.Thread(target=lambda: cancelled.append(client.cancelJob(b"H:8", WAIT)))
        asking.start()
        jobs.answer()
        jobs.answer()
        asking.join()
        assert cancelled == [True]
        client.shutdown()
