"""Jobs in the foreground: several at a time, and what comes of them in the order of the jobs."""

import asyncio
import contextlib
from typing import NamedTuple

from gear_client.async_job import AsyncJob
from gear_client.cli.connecting import CommandClient
from gear_client.cli.requests import Request
from gear_client.cli.results import Results
from gear_wire.cli.command import Target
from gear_wire.cli.exits import Exit, exit_of
from gear_wire.errors import ConnectionError, GearmanError, JobFailedError
from gear_wire.escape import escaped
from gear_wire.functions.failures import decode_failure
from gear_wire.link.aio.link import AsyncLink
from gear_wire.link.aio.within import within
from gear_wire.link.deadline import Deadline
from gear_wire.packets import WorkData, WorkStatus, WorkWarning


class _Running(NamedTuple):
    """A job that the server has.

    Attributes:
        job: The job.
        deadline: When it is not waited for any longer.
        connected: Since when there is the connection that it was submitted over.
    """

    job: AsyncJob
    deadline: Deadline
    connected: float | None


async def run_jobs(target: Target, request: Request, parallel: int, results: Results) -> Exit:
    """Run jobs; what became of one that failed is told, and the others go on.

    Args:
        target: Where.
        request: The jobs.
        parallel: How many are at work at a time; what comes of no more is kept in memory.
        results: What is told of them.

    Returns:
        The worst that became of a job.

    Raises:
        GearmanError: A job could not be submitted; after all was told of those before it.
        OSError: Their data could not be read, or nobody reads the results.
    """
    async with CommandClient("gear-client") as client:
        await client.reach(target.servers, Deadline(target.timeout))
        places = asyncio.Semaphore(parallel)
        queue: asyncio.Queue[_Running | None] = asyncio.Queue()

        async def submit_all() -> None:
            try:
                async for payload in request.payloads():
                    await places.acquire()
                    queue.put_nowait(await _submit(client, target, request, payload))
            finally:
                queue.put_nowait(None)

        worst = Exit.OK
        submitting = asyncio.create_task(submit_all())
        try:
            while (running := await queue.get()) is not None:
                worst = max(worst, await _follow(running, results))
                places.release()
            await submitting
        finally:
            results.close()
            submitting.cancel()
            with contextlib.suppress(asyncio.CancelledError, GearmanError, OSError):
                await submitting
        return worst


async def _submit(
    client: CommandClient, target: Target, request: Request, payload: bytes
) -> _Running:
    deadline = Deadline(target.limit)
    job = await client.submit(
        AsyncJob(request.function, payload, request.unique),
        precedence=request.precedence,
        timeout=target.timeout,
    )
    return _Running(job, deadline, _connected(job))


def _connected(job: AsyncJob) -> float | None:
    """Return since when there is the connection of a job, which no later one is; None without."""
    link = job.connection
    return link.connect_time if isinstance(link, AsyncLink) and link.connected else None


async def _follow(running: _Running, results: Results) -> Exit:
    """Tell what comes of a job until it ends, and return how it did."""
    job = running.job
    results.begin(job)
    try:
        async with within(running.deadline, "%s: the job has not ended", escaped(job.name)):
            async for update in job:
                if isinstance(update, WorkStatus):
                    results.progress(update.numerator, update.denominator, job.fraction_complete)
                elif isinstance(update, WorkData | WorkWarning) and update.payload:
                    del job.data[0]  # or all that a long job sends would be kept until its end
                    results.part(update.payload, isinstance(update, WorkWarning))
            results.part(await job, False)
    except GearmanError as error:
        reason = _reason(running, error)
        results.failed(reason)
        return exit_of(reason)
    results.completed()
    return Exit.OK


def _reason(running: _Running, error: GearmanError) -> Exception:
    """Return why a job has no result: what its function raised, or the loss of its server."""
    name = running.job.name
    if not isinstance(error, JobFailedError):
        return error
    if error.exception is not None:
        return decode_failure(error.exception, name, ())
    if running.connected is None or _connected(running.job) != running.connected:
        return ConnectionError(f"{name}: the server was lost before the job ended")
    return JobFailedError(f"{name}: the job failed")
