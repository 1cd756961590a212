"""What a worker did before there was a command for it: a loop, without a look at the payload."""

import asyncio
import os
import sys
import threading

import gear
from benchmarks.frameworks import tally

PLACES = 10


def work(worker: gear.Worker) -> None:
    """Do one job after the other, in a thread."""
    while True:
        with worker.getJob() as job:
            job.sendWorkComplete(b"%d" % tally.measured(0))


async def work_async(worker: gear.AsyncWorker) -> None:
    """Do the same in a task."""
    async for job in worker:
        async with job:
            await job.complete(b"%d" % await tally.measured_async(0))


async def run_tasks(port: int) -> None:
    """Work in ten tasks."""
    async with gear.AsyncWorker("bare") as worker, asyncio.TaskGroup() as tasks:
        worker.add_server("127.0.0.1", port)
        worker.register("awaited")
        for _ in range(PLACES):
            tasks.create_task(work_async(worker))


def run_threads(port: int) -> None:
    """Work in ten threads."""
    worker = gear.Worker("bare")
    worker.addServer("127.0.0.1", port)
    worker.registerFunction("threaded")
    for _ in range(PLACES - 1):
        threading.Thread(target=work, args=(worker,), daemon=True).start()
    work(worker)


def main(role: str, port: int) -> None:
    """Work until the process is ended."""
    if role == "tasks":
        asyncio.run(run_tasks(port))
    else:
        run_threads(port)


if __name__ == "__main__":
    main(sys.argv[1], int(os.environ["MEASURED_PORT"]))
