"""A job that this client cancelled has ended here, once, whatever the server tells of it."""

import threading
from collections.abc import Iterator

import pytest

from gear_client import AsyncClient, Client, Job
from gear_wire.errors import JobFailedError
from gear_wire.packet import Packet
from gear_wire.packets import WorkFail
from gear_wire.types import Handle
from support.client_peers import WAIT, connected, run
from support.scripted_jobs import Jobs
from support.scripted_server import Peer, ScriptedServer, scripted_server


class Cancelling(Jobs):
    """Tells of jobs that are cancelled first, last or not at all.

    Args:
        told: When.
    """

    def __init__(self, told: str) -> None:
        super().__init__()
        self.told = told

    def _cancel(self, peer: Peer, line: bytes) -> None:
        handle = Handle(line.split()[2])
        if self.told == "first":
            peer.send(WorkFail(handle))
        peer.sock.sendall(b"OK\r\n")
        if self.told == "last":
            peer.send(WorkFail(handle))


@pytest.fixture(params=["first", "last", "never"])
def server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    with scripted_server(Cancelling(request.param)) as server:
        yield server


class Counting(Client):
    """Counts the ends that it hears of."""

    def __init__(self) -> None:
        self.ended: list[Job] = []
        super().__init__("counting")

    def handleWorkFail(self, packet: Packet) -> Job:
        job = super().handleWorkFail(packet)
        self.ended.append(job)
        return job


@pytest.mark.parametrize("by_handle", [False, True])
def test_a_cancelled_job_has_ended(server: ScriptedServer, by_handle: bool) -> None:
    client = Counting()
    client.addServer("127.0.0.1", server.port)
    client.waitForServer(WAIT)
    job, twin = Job("hold", b""), Job("hold", b"")
    client.submitJob(job)
    client.submitJob(twin)
    waited: list[str] = []

    def wait() -> None:
        with pytest.raises(JobFailedError) as info:
            job.result(WAIT)
        waited.append(str(info.value))

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert client.cancelJob(job.handle if by_handle and job.handle else job, WAIT)
    waiting.join()
    client.echo(timeout=WAIT)
    assert "was cancelled" in waited[0]
    assert (job.complete, job.failure, twin.complete) == (True, True, False)
    assert list(client.active_connections[0].related_jobs) == [twin.handle]
    assert client.ended in ([], [job])
    client.shutdown()


def test_a_cancelled_async_job_has_ended(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        assert await client.cancel(job)
        with pytest.raises(JobFailedError, match="was cancelled"):
            await job
        assert await client.cancel((await client.submit("hold")).handle or b"")
        await client.echo()
        assert client.get_link().related_jobs == {}

    run(server.port, test)


def test_a_job_in_the_background_too(server: ScriptedServer) -> None:
    client = connected(server)
    job = Job("hold", b"")
    client.submitJob(job, background=True)
    assert client.cancelJob(job)
    with pytest.raises(JobFailedError, match="was cancelled"):
        job.result()
    client.shutdown()


def test_a_job_that_was_not_cancelled_goes_on() -> None:
    jobs = Jobs()
    with scripted_server(jobs) as server:
        client = connected(server)
        job = Job("hold", b"")
        client.submitJob(job)
        peer, handle = jobs.held.pop()
        assert not client.cancelJob(job)
        assert not job.complete
        peer.send(WorkFail(handle))
        with pytest.raises(JobFailedError, match="failed"):
            job.result(WAIT)
        client.shutdown()
