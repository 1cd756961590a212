"""A program on asyncio: what a type checker must make of it."""

# pyright: strict

import asyncio
from typing import assert_type

import gear
from gear_wire.packets import WorkData, WorkStatus


async def submit() -> bytes:
    async with gear.AsyncClient("a name") as client:
        assert_type(client, gear.AsyncClient)
        client.add_server("localhost", 4730)
        await client.wait_for_server(timeout=10)
        job = await client.submit("reverse", "test", precedence=gear.PRECEDENCE_LOW)
        assert_type(job, gear.AsyncJob)
        async for update in job:
            if isinstance(update, WorkData):
                assert_type(update.payload, bytes)
            elif isinstance(update, WorkStatus):
                print(update.numerator, update.denominator)
        async for part in job.astream():
            assert_type(part, bytes)
        assert_type(await client.status(job), gear.JobState)
        assert_type(await client.set_option("exceptions"), bool)
        assert_type(await job, bytes)
        return await job


async def work() -> None:
    async with gear.AsyncWorker() as worker:
        worker.register("reverse", timeout=5)
        worker.add_server("localhost")
        async for job in worker:
            assert_type(job, gear.AsyncWorkerJob)
            assert_type(job.arguments, bytes)
            await job.status(1, 2)
            assert_type(await job.complete(job.arguments[::-1]), None)
        async with await worker.get_job(timeout=1) as job:
            assert_type(job, gear.AsyncWorkerJob)
            raise ValueError
        assert_type(await worker.drain(timeout=1), bool)


async def administer() -> list[str]:
    async with gear.AsyncAdminClient("localhost") as admin:
        assert_type(admin, gear.AsyncAdminClient)
        assert_type([row.total for row in await admin.status()], list[int])
        assert_type(await admin.version(), str)
        return [row.address for row in await admin.workers()]


async def main() -> None:
    result, _, _ = await asyncio.gather(submit(), work(), administer())
    assert_type(result, bytes)
