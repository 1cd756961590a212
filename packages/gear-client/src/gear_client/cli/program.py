"""The commands of gear-client; what takes long to load is loaded by the command that needs it."""

import os
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import click

from gear_client.__about__ import __version__
from gear_client.cli.requests import Request, request_options
from gear_client.cli.times import Time
from gear_wire.cli.command import (
    Commands,
    Target,
    completion_option,
    discard_output,
    examples,
    job_options,
    server_options,
)
from gear_wire.cli.numbers import Number, Whole
from gear_wire.timeouts import LONGEST

if TYPE_CHECKING:
    from types import FrameType

R = TypeVar("R")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "gear-client run reverse 'test string'",
        "gear-client run resize - <photo.jpg >small.jpg",
        "gear-client submit --unique nightly --at 02:00 report",
        "gear-client status H:server.example.com:7",
    )
    + """

\b
Exit codes:
    0  ok
    1  a job failed, or no server knows it
    2  wrong usage
    3  no server could be reached, or it was lost
    4  a server or a job took longer than --timeout
  130  interrupted with Ctrl-C
""",
)
@completion_option
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def program() -> None:
    """Run jobs on Gearman job servers, and ask what became of them.

    The servers are those that --server names, or else those in GEARMAN_SERVERS.
    """


def _run(main: Coroutine[object, object, R]) -> R:
    import asyncio
    import signal

    async def interruptible() -> R:
        of_asyncio = signal.getsignal(signal.SIGINT)
        if not callable(of_asyncio):
            return await main  # Ctrl-C is for another program

        def interrupt(number: int, frame: "FrameType | None") -> None:
            # The loop cannot end while it waits for whoever reads.
            discard_output()
            of_asyncio(number, frame)

        signal.signal(signal.SIGINT, interrupt)
        try:
            return await main
        finally:
            signal.signal(signal.SIGINT, of_asyncio)

    return asyncio.run(interruptible())


_as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON, a line a row.")
_handles = click.argument("handles", nargs=-1, required=True, metavar="HANDLE...")


@program.command(
    epilog=examples(
        "gear-client run reverse 'test string'",
        "gear-client run resize - <photo.jpg >small.jpg",
        """gear-client run thumbnail --args '{"image": "aGVsbG8=", "width": 64}'""",
        "gear-client run check --lines --parallel 20 <urls.txt >results.txt",
        "gear-client run squares --args '[5]' --json | jq -r '.parts[]'",
        "gear-client run reverse one two --json | jq -r .data",
    )
)
@job_options
@request_options
@click.option(
    "--parallel", type=Whole(1), default=10, show_default=True, metavar="N",
    help="How many of several jobs are at work at a time.",
)  # fmt: skip
@_as_json
def run(target: Target, request: Request, parallel: int, as_json: bool) -> int:
    """Run jobs, and wait for them.

    Each DATA is the data of a job, and - is all of standard input; without any, one job without
    data is run. The result goes to standard output as it comes, and warnings to standard error,
    each in lines of its own. Files and pipes get the result unchanged, a terminal without control
    characters.

    The results of several jobs come in the order of the jobs, and each ends with the end of a
    line; a job that failed has an empty line. With --args, each part of a result that is text
    does so, too: what a typed function yields is a line.
    """
    from gear_client.cli.results import JsonResults, PlainResults, Results
    from gear_client.cli.running import run_jobs

    results: Results = (
        JsonResults(request.typed)
        if as_json
        else PlainResults(request.function, request.many, request.typed)
    )
    return _run(run_jobs(target, request, parallel, results))


@program.command(
    epilog=examples(
        "gear-client submit report 2030",
        "gear-client submit report 2030 --at 2030-12-31T18:30",
        'gear-client submit mail.send --in 60 --args \'{"to": "ada@example.com"}\'',
        "gear-client submit crawl --lines --low <urls.txt >handles.txt",
    )
)
@server_options
@request_options
@click.option(
    "--at", type=Time(), metavar="TIME",
    help="Not before this time: 18:30, 2030-12-31, 2030-12-31T18:30 or 2030-12-31T18:30Z.",
)  # fmt: skip
@click.option(
    "--in", "wait", type=Number(0, int(LONGEST)), metavar="SECONDS",
    help="Not before so many seconds have passed.",
)  # fmt: skip
@_as_json
def submit(
    target: Target, request: Request, at: datetime | None, wait: float | None, as_json: bool
) -> int:
    """Submit jobs in the background, and print their handles.

    Each DATA is the data of a job, and - is all of standard input; without any, one job without
    data is submitted. Nobody hears of the end of such a job; `gear-client status` tells whether it
    is still there.
    """
    if at is not None and wait is not None:
        raise click.UsageError("--at and --in exclude each other")
    if wait is not None:
        at = datetime.now().astimezone() + timedelta(seconds=wait)
    if at is not None and not request.is_normal:
        raise click.UsageError("a job for later has normal precedence: not --high, not --low")
    from gear_client.cli.commands import submit_jobs

    return _run(submit_jobs(target, request, at, as_json))


@program.command(
    epilog=examples(
        "gear-client status H:server.example.com:7",
        "gear-client status $(cat handles.txt) --json | jq -r .state",
    )
)
@server_options
@_handles
@_as_json
def status(target: Target, handles: tuple[str, ...], as_json: bool) -> int:
    """Tell whether jobs are queued, running or unknown.

    All servers are asked for each job. A job is unknown once it has ended; the exit code is 1 then.
    """
    from gear_client.cli.commands import show_status

    return _run(show_status(target, [os.fsencode(handle) for handle in handles], as_json))


@program.command(epilog=examples("gear-client cancel H:server.example.com:7"))
@server_options
@_handles
@_as_json
def cancel(target: Target, handles: tuple[str, ...], as_json: bool) -> int:
    """Cancel jobs.

    All servers are asked for each job. A worker that has it already is told nothing, and goes on.
    The exit code is 1 if no server has a job, or none lets it be cancelled.
    """
    from gear_client.cli.commands import cancel_jobs

    return _run(cancel_jobs(target, [os.fsencode(handle) for handle in handles], as_json))


@program.command(
    epilog=examples(
        "gear-client ping",
        "gear-client ping -s gearman1.example.com -s gearman2.example.com:4731 --timeout 2",
    )
)
@server_options
@_as_json
def ping(target: Target, as_json: bool) -> int:
    """Tell how long each server takes to answer."""
    from gear_client.cli.commands import ping_servers

    return _run(ping_servers(target, as_json))
