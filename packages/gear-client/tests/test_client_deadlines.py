"""Each call takes no longer than its timeout, whatever it waits for: room to send, an answer."""

import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from gear_client import AsyncClient, AsyncJob, Client, Job
from gear_wire.errors import TimeoutError
from support.client_peers import WAIT, run, unread_port

LARGE = bytes(9 << 20)
TIMEOUT = 0.3
"""Of each call, in seconds."""
LONGEST = 8.0
"""Seconds that such a call may take on a machine that is busy."""


@pytest.fixture
def port() -> Iterator[int]:
    with unread_port() as port:
        yield port


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    client = Client()
    client.addServer("127.0.0.1", port)
    client.waitForServer(WAIT)
    yield client
    client.shutdown(timeout=0)


def test_a_server_that_never_reads(client: Client) -> None:
    submitted = Job("reverse", b"")
    submitted.handle, submitted.connection = b"H:1", client.active_connections[0]
    large: Callable[[], object] = lambda: client.submitJob(Job("reverse", LARGE), timeout=TIMEOUT)  # noqa: E731
    calls: list[Callable[[], object]] = [
        large,
        large,
        large,
        lambda: client.getStatus(submitted, timeout=TIMEOUT),
        lambda: client.getStatus(b"H:1", timeout=TIMEOUT),
        lambda: client.getStatusByUnique(b"u", timeout=TIMEOUT),
        lambda: client.echo(LARGE, timeout=TIMEOUT),
        lambda: client.cancelJob(submitted, timeout=TIMEOUT),
    ]
    for call in calls:
        start = time.monotonic()
        with pytest.raises(TimeoutError, match=f"in {TIMEOUT:g} s"):
            call()
        assert time.monotonic() - start < LONGEST
    start = time.monotonic()
    assert not client.setOption("other", timeout=TIMEOUT)
    assert time.monotonic() - start < LONGEST


def test_an_asyncio_server_that_never_reads(port: int) -> None:
    async def test(client: AsyncClient) -> None:
        job = AsyncJob("reverse")
        job.handle, job.connection = b"H:1", client.get_link()
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: client.submit("reverse", LARGE, timeout=TIMEOUT),
            lambda: client.submit("reverse", LARGE, timeout=TIMEOUT),
            lambda: client.status(job, timeout=TIMEOUT),
            lambda: client.status(b"H:1", timeout=TIMEOUT),
            lambda: client.status_by_unique(b"u", timeout=TIMEOUT),
            lambda: client.echo(LARGE, timeout=TIMEOUT),
            lambda: client.cancel(job, timeout=TIMEOUT),
        ]
        for call in calls:
            start = time.monotonic()
            with pytest.raises(TimeoutError, match=f"in {TIMEOUT:g} s"):
                await call()
            assert time.monotonic() - start < LONGEST
        start = time.monotonic()
        assert not await client.set_option("other", timeout=TIMEOUT)
        assert time.monotonic() - start < LONGEST
        await client.close(timeout=0)

    run(port, test)
