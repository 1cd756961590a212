"""A program with a server, and tests with one: what a type checker must make of it."""

# pyright: strict

from typing import assert_type

import gear
from gear_server.testing import Geard


class HoldingServer(gear.Server):
    """Keeps jobs back."""

    def __init__(self) -> None:
        self.held = True
        super().__init__(0, host="127.0.0.1")

    def getJobForConnection(
        self, connection: gear.ServerConnection, peek: bool = False
    ) -> gear.ServerJob | None:
        return None if self.held else super().getJobForConnection(connection, peek)

    def handleStatus(self, request: gear.ServerAdminRequest) -> None:
        assert_type(request.command, bytes)
        super().handleStatus(request)


def serve() -> int:
    acl = gear.ACL()
    acl.add(gear.ACLEntry("client", invoke=".*"))
    server = gear.Server(port="0", statsd_host=None, acl=acl, job_retries=3)
    assert_type(server.port, int)
    for queue in (server.high_queue, server.normal_queue, server.low_queue):
        for job in queue:
            assert_type(job, gear.ServerJob)
            assert_type(job.name, bytes)
    assert_type(server.getQueue(), list[gear.ServerJob])
    server.wakeConnections()
    assert_type(server.waitFor(lambda: server.running_jobs == 0, 5), bool)
    server.shutdown()
    return server.port


def test_with_a_server(geard: Geard) -> None:
    client, worker = geard.client(), geard.worker("reverse")
    assert_type(client, gear.Client)
    assert_type(worker, gear.Worker)
    geard.hold()
    job = gear.Job("reverse", b"test")
    client.submitJob(job)
    geard.release("rev.*")
    worker.getJob().sendWorkComplete(b"tset")
    assert_type(job.result(5), bytes)
    geard.wait_until_idle()


async def on_asyncio(geard: Geard) -> bytes:
    async with geard.async_client() as client, geard.async_worker("reverse") as worker:
        assert_type(client, gear.AsyncClient)
        assert_type(worker, gear.AsyncWorker)
        return await (await client.submit("reverse"))
