"""What the commands do that wait for no job: submit, status, cancel, ping."""

import asyncio
import time
from datetime import datetime

from gear_client.async_job import AsyncJob
from gear_client.cli.connecting import CommandClient
from gear_client.cli.requests import Request
from gear_client.expectations import JobState
from gear_wire.cli.command import Target, complain
from gear_wire.cli.exits import Exit, describe, exit_of
from gear_wire.cli.output import print_json, print_table, printable
from gear_wire.cli.servers import format_server
from gear_wire.errors import GearmanError
from gear_wire.link.address import ServerAddress
from gear_wire.link.aio.link import AsyncLink
from gear_wire.link.deadline import Deadline

NAME = b"gear-client"


async def submit_jobs(
    target: Target, request: Request, when: datetime | None, as_json: bool
) -> Exit:
    """Submit jobs in the background, and print their handles.

    Raises:
        GearmanError: One could not be submitted.
        OSError: Their data could not be read.
    """
    async with CommandClient(NAME) as client:
        await client.reach(target.servers, Deadline(target.timeout))
        async for payload in request.payloads():
            job = await client.submit(
                AsyncJob(request.function, payload, request.unique),
                background=True,
                precedence=request.precedence,
                when=when,
                timeout=target.timeout,
            )
            if as_json:
                link = job.connection
                server = format_server(link.address) if isinstance(link, AsyncLink) else None
                print_json([{"handle": job.handle, "server": server}])
            else:
                print(printable(job.handle), flush=True)  # noqa: T201  (what the command is for)
    return Exit.OK


async def show_status(target: Target, handles: list[bytes], as_json: bool) -> Exit:
    """Print what the servers know of jobs.

    Raises:
        GearmanError: No server can be reached, or one did not answer.
    """
    async with CommandClient(NAME) as client:
        await client.reach(target.servers, Deadline(target.timeout), every=True)
        states = [(handle, await client.status(handle, target.timeout)) for handle in handles]
        worst = _found(client, all(state.known for _, state in states))
    rows: list[dict[str, object]] = [
        {
            "handle": handle,
            "state": _state(state),
            "numerator": state.numerator,
            "denominator": state.denominator,
        }
        for handle, state in states
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("handle", "state", "done"),
            [(handle, _state(state), _done(state)) for handle, state in states],
        )
    return worst


def _state(state: JobState) -> str:
    return "running" if state.running else "queued" if state.known else "unknown"


def _done(state: JobState) -> str | None:
    return f"{state.numerator}/{state.denominator}" if state.denominator else None


async def cancel_jobs(target: Target, handles: list[bytes], as_json: bool) -> Exit:
    """Cancel jobs; those that no server cancels are told.

    Raises:
        GearmanError: No server can be reached, or one did not answer.
    """
    async with CommandClient(NAME) as client:
        await client.reach(target.servers, Deadline(target.timeout), every=True)
        done = [(handle, await client.cancel(handle, target.timeout)) for handle in handles]
        worst = _found(client, all(cancelled for _, cancelled in done))
    if as_json:
        print_json({"handle": handle, "cancelled": cancelled} for handle, cancelled in done)
    for handle, cancelled in done:
        if not cancelled:
            complain(f"no server has a job {printable(handle)} that can be cancelled")
    return worst


def _found(client: CommandClient, all_known: bool) -> Exit:
    """Return how a command ends that asked all servers; those that it could not ask are told."""
    if all_known:
        return Exit.OK
    for link in client.unreachable:
        complain(f"{format_server(link.address)}: {link.report.reason}")
    return Exit.NO_SERVER if client.unreachable else Exit.FAILED


async def ping_servers(target: Target, as_json: bool) -> Exit:
    """Print how long each server takes to answer."""
    answers = await asyncio.gather(*(_ping(server, target.timeout) for server in target.servers))
    worst = Exit.OK
    took: list[tuple[str, float]] = []
    for server, answer in zip(target.servers, answers, strict=True):
        if isinstance(answer, GearmanError):
            complain(describe(answer))
            worst = max(worst, exit_of(answer))
        else:
            took.append((format_server(server), answer))
    if as_json:
        print_json({"server": server, "seconds": seconds} for server, seconds in took)
    elif took:
        rows = [(server, round(1000 * seconds, 2)) for server, seconds in took]
        print_table(("server", "ms"), rows)
    return worst


async def _ping(server: ServerAddress, timeout: float) -> float | GearmanError:
    deadline = Deadline(timeout)
    try:
        async with CommandClient(NAME) as client:
            await client.reach([server], deadline)
            begin = time.perf_counter()
            await client.echo(timeout=deadline.left())
            return time.perf_counter() - begin
    except GearmanError as error:
        return error
