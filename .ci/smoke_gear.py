"""Does one job with the installed wheels: server, worker and client, in threads and on asyncio."""

import asyncio
import importlib.metadata
import importlib.resources

import gear

NAMES = ["gear", "gear-admin", "gear-client", "gear-server", "gear-wire", "gear-worker"]


async def shout(port: int) -> bytes:
    async with gear.AsyncWorker() as worker, gear.AsyncClient() as client:
        for end in (worker, client):
            end.add_server("127.0.0.1", port)
        worker.register("shout")
        await client.wait_for_server(10)
        submitted = await client.submit("shout", "hello")
        job = await worker.get_job()
        await job.complete(job.arguments.upper())
        return await submitted


def main() -> None:
    for name in NAMES:
        print(name, importlib.metadata.version(name))
        assert importlib.resources.files(name.replace("-", "_")).joinpath("py.typed").is_file()
    server = gear.Server(0, host="127.0.0.1")
    client, worker = gear.Client(), gear.Worker("reverser")
    for end in (client, worker):
        end.addServer("127.0.0.1", server.port)
        end.waitForServer(10)
    worker.registerFunction("reverse")
    job = gear.Job("reverse", "test string")
    client.submitJob(job)
    assigned = worker.getJob(10)
    assigned.sendWorkComplete(assigned.arguments[::-1])
    assert job.result(10) == b"gnirts tset"
    assert asyncio.run(shout(server.port)) == b"HELLO"
    with gear.AdminClient("127.0.0.1", server.port) as admin:
        assert {row.function for row in admin.status()} == {b"reverse", b"shout"}
    client.shutdown()
    worker.shutdown()
    server.shutdown()


main()
