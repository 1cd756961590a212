"""A server that does not answer in time is skipped, and used again once it answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from gear_client import AsyncClient, Client, Job
from gear_wire.errors import TimeoutError
from gear_wire.packets import GetStatus, SubmitJob
from support.client_peers import WAIT, LateJobs, unread_port
from support.scripted_jobs import Jobs
from support.scripted_server import Peer, scripted_server

Call = Callable[[Client], object]
AsyncCall = Callable[[AsyncClient], Awaitable[object]]


class Knowing(Jobs):
    """Knows one job from the beginning, which can be cancelled again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 1

    def _cancel(self, peer: Peer, line: bytes) -> None:
        peer.sock.sendall(b"OK\r\n")


def both_connected(client: Client, *ports: int) -> None:
    for port in ports:
        client.addServer("127.0.0.1", port)
    with client.connections_condition:
        assert client.connections_condition.wait_for(
            lambda: len(client.active_connections) == len(ports), WAIT
        )


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.submitJob(Job("reverse", b""), timeout=0.5),
        lambda client: client.echo(timeout=0.5),
        lambda client: client.getStatus(b"H:1", timeout=0.5),
        lambda client: client.cancelJob(b"H:1", timeout=0.5),
    ],
)
def test_a_server_that_hangs_is_skipped(ask: Call) -> None:
    jobs = Knowing()
    with unread_port() as hanging, scripted_server(jobs) as server:
        client = Client()
        both_connected(client, hanging, server.port)
        late = 0
        for _ in range(8):
            try:
                ask(client)
            except TimeoutError:
                late += 1
        assert late <= 1  # none, if the other server is asked first and knows the job
        client.shutdown()


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.submit("reverse", timeout=0.5),
        lambda client: client.echo(timeout=0.5),
        lambda client: client.status(b"H:1", timeout=0.5),
        lambda client: client.cancel(b"H:1", timeout=0.5),
    ],
)
def test_on_asyncio_a_server_that_hangs_is_skipped(ask: AsyncCall) -> None:
    jobs = Knowing()

    async def test(*ports: int) -> int:
        async with AsyncClient() as client, asyncio.timeout(30):
            for port in ports:
                client.add_server("127.0.0.1", port)
            while len(client.links) < len(ports):
                await asyncio.sleep(0.01)
            late = 0
            for _ in range(8):
                try:
                    await ask(client)
                except TimeoutError:
                    late += 1
            await client.close(timeout=0)
            return late

    with unread_port() as hanging, scripted_server(jobs) as server:
        assert asyncio.run(test(hanging, server.port)) <= 1


def test_a_server_that_answers_late_is_used_again() -> None:
    slow, fast = LateJobs(lambda message: isinstance(message, SubmitJob)), Jobs()
    with scripted_server(slow) as first, scripted_server(fast) as second:
        client = Client()
        both_connected(client, first.port, second.port)
        with pytest.raises(TimeoutError):
            for _ in range(2):
                client.submitJob(Job("reverse", b""), timeout=0.1)
        count = fast.count
        for _ in range(4):
            client.submitJob(Job("reverse", b""), timeout=WAIT)
        assert fast.count == count + 4
        slow.late = lambda message: False
        slow.answer()
        end = time.monotonic() + WAIT
        while slow.count < 2 and time.monotonic() < end:
            client.submitJob(Job("reverse", b""), timeout=WAIT)
        assert slow.count >= 2
        client.shutdown()


def test_options_that_servers_ignore_do_not_count() -> None:
    with scripted_server(LateJobs(lambda message: not isinstance(message, GetStatus))) as server:
        client = Client()
        both_connected(client, server.port)
        assert not client.setOption("other", timeout=0.05)
        assert not client._roster.skips
        client.shutdown()
