"""The commands of ``gear-admin``; what takes long to load is loaded by who needs it."""

import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import click

from gear_admin.__about__ import __version__
from gear_wire.cli.command import (
    SERVER_TIMEOUT,
    Commands,
    Target,
    complain,
    completion_option,
    examples,
    fail,
    job_options,
    server_options,
)
from gear_wire.cli.exits import Exit
from gear_wire.cli.numbers import Number, Whole
from gear_wire.cli.output import print_json, print_table, printable
from gear_wire.cli.servers import format_server
from gear_wire.errors import ServerError
from gear_wire.link.deadline import Deadline

if TYPE_CHECKING:
    from gear_admin.async_client import AsyncAdminClient
    from gear_admin.cli.answers import Answers
    from gear_wire.text import FunctionCounters

Result = TypeVar("Result")
Rows = Iterable[Sequence[object]]

_RIGHTS: Final = ("register", "invoke", "grant", "admin", "see")
_AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Write JSON, a line a row.")


def _word(value: str) -> bytes:
    """Return a name in the bytes of the command line, as the text protocol can send it."""
    word = os.fsencode(value)
    if word.split() != [word]:
        raise click.BadParameter(f"{value!r} must be one word, without spaces.")
    return word


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "gear-admin status",
        "gear-admin top -s one.example.com -s two.example.com",
        "gear-admin jobs --json",
        "gear-admin maxqueue resize 1000",
        "gear-admin wait resize --timeout 600",
    )
    + """

\b
Exit codes:
    0  ok
    1  a server refused
    2  wrong usage
    3  a server could not be reached
    4  a server, or what is waited for, took longer than --timeout
  130  interrupted with Ctrl-C
""",
)
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
@completion_option
def admin() -> None:
    """Look at Gearman job servers, and change what they do.

    Each command asks all servers at once: those that --server names, or else those in
    GEARMAN_SERVERS.
    """
    # Rows that cannot be read are warned about.
    logging.basicConfig(format="gear-admin: %(message)s", level=logging.WARNING)


def _ask(
    target: Target, question: "Callable[[AsyncAdminClient], Awaitable[Result]]"
) -> "Answers[Result]":
    """Ask all servers, and name those that cannot be asked."""
    import asyncio

    from gear_admin.cli.answers import ask_all

    answers = asyncio.run(ask_all(target.servers, Deadline(target.timeout), question))
    for text in answers.complaints():
        complain(text)
    return answers


def _show(
    target: Target,
    as_json: bool,
    columns: Sequence[str],
    question: "Callable[[AsyncAdminClient], Awaitable[Rows]]",
    name_server: bool = False,
) -> Exit:
    """Ask all servers for rows, and write them; with the server's name if there are several.

    Args:
        target: The servers.
        as_json: Whether to write JSON, which always names the server.
        columns: The names of the columns.
        question: Asks one server for its rows.
        name_server: Whether a table names a single server, too.
    """
    answers = _ask(target, question)
    rows = [[format_server(server), *row] for server, result in answers.results for row in result]
    names = ["server", *columns]
    if as_json:
        print_json(dict(zip(names, row, strict=True)) for row in rows)
    elif answers.results:
        first = 0 if name_server or len(target.servers) > 1 else 1
        print_table(
            [name.replace("_", " ") for name in names[first:]], [row[first:] for row in rows]
        )
    return answers.worst


_FUNCTIONS: Final = click.argument("functions", type=_word, nargs=-1, metavar="[FUNCTION]...")
_FUNCTION: Final = click.argument("function", type=_word)


@admin.command(epilog=examples("gear-admin status", "gear-admin status resize rotate --json"))
@_FUNCTIONS
@_AS_JSON
@server_options
def status(target: Target, functions: tuple[bytes, ...], as_json: bool) -> Exit:
    """List functions, with their jobs and workers."""

    async def rows(client: "AsyncAdminClient") -> Rows:
        return [
            (row.function, row.total - row.running, row.running, row.workers)
            for row in await client.status()
            if not functions or row.function in functions
        ]

    return _show(target, as_json, ("function", "queued", "running", "workers"), rows)


_COUNTED: Final = (
    "queued", "running", "workers", "oldest_s", "completed", "failed", "exhausted", "requeued",
    "timed_out", "cancelled", "refused", "wait_s", "run_s",
)  # fmt: skip


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _counted(row: "FunctionCounters") -> Sequence[object]:
    oldest = row.oldest_ms / 1000 if row.queued else None
    return (
        row.function, row.queued, row.running, row.workers, oldest, row.completed, row.failed,
        row.exhausted, row.requeued, row.timed_out, row.cancelled, row.refused,
        _seconds(row.mean_wait), _seconds(row.mean_run),
    )  # fmt: skip


@admin.command(epilog=examples("gear-admin stats", "gear-admin stats resize --json"))
@_FUNCTIONS
@_AS_JSON
@server_options
def stats(target: Target, functions: tuple[bytes, ...], as_json: bool) -> Exit:
    """List functions, with what has happened to their jobs.

    "oldest" is how long the oldest queued job has waited, "wait" and "run" how long jobs waited and
    ran on average, in seconds. --json has all numbers, with times in milliseconds and in all. Only
    geard can.
    """
    from msgspec.structs import astuple

    from gear_wire.text import FunctionCounters

    row_of = astuple if as_json else _counted
    columns = FunctionCounters.__struct_fields__ if as_json else ("function", *_COUNTED)

    async def rows(client: "AsyncAdminClient") -> Rows:
        return [
            row_of(row)
            for row in await client.show_counters()
            if not functions or row.function in functions
        ]

    return _show(target, as_json, columns, rows)


@admin.command(epilog=examples("gear-admin priorities"))
@_FUNCTIONS
@_AS_JSON
@server_options
def priorities(target: Target, functions: tuple[bytes, ...], as_json: bool) -> Exit:
    """List functions, with their queued jobs by precedence."""

    async def rows(client: "AsyncAdminClient") -> Rows:
        return [
            (row.function, row.high, row.normal, row.low, row.workers)
            for row in await client.priority_status()
            if not functions or row.function in functions
        ]

    return _show(target, as_json, ("function", "high", "normal", "low", "workers"), rows)


@admin.command(
    epilog=examples("gear-admin workers", "gear-admin workers resize", "gear-admin workers --all")
)
@_FUNCTIONS
@click.option("--all", "all_of_them", is_flag=True, help="List connections without functions, too.")
@_AS_JSON
@server_options
def workers(target: Target, functions: tuple[bytes, ...], all_of_them: bool, as_json: bool) -> Exit:
    """List workers, with what each can do."""
    wanted = set(functions)

    async def rows(client: "AsyncAdminClient") -> Rows:
        return [
            (row.descriptor, row.address, row.client_id, row.functions)
            for row in await client.workers()
            if (wanted.intersection(row.functions) if wanted else row.functions or all_of_them)
        ]

    return _show(target, as_json, ("descriptor", "address", "client_id", "functions"), rows)


@admin.command(epilog=examples("gear-admin jobs --json"))
@_AS_JSON
@server_options
def jobs(target: Target, as_json: bool) -> Exit:
    """List the jobs that the servers have.

    "ignored" are those that were cancelled while they run, or that no client waits for any more.
    """

    async def rows(client: "AsyncAdminClient") -> Rows:
        return [
            (row.handle, row.retries, row.ignored, row.queued) for row in await client.show_jobs()
        ]

    return _show(target, as_json, ("handle", "retries", "ignored", "background"), rows)


@admin.command(epilog=examples("gear-admin version"))
@_AS_JSON
@server_options
def version(target: Target, as_json: bool) -> Exit:
    """Show the servers' versions."""

    async def rows(client: "AsyncAdminClient") -> Rows:
        return [(await client.version(),)]

    return _show(target, as_json, ("version",), rows, name_server=True)


@admin.command(epilog=examples("gear-admin ping --timeout 2"))
@_AS_JSON
@server_options
def ping(target: Target, as_json: bool) -> Exit:
    """Measure how long each server takes to answer."""

    async def seconds(client: "AsyncAdminClient") -> float:
        start = time.perf_counter()
        await client.version()
        return time.perf_counter() - start

    answers = _ask(target, seconds)
    took = [(format_server(server), each) for server, each in answers.results]
    if as_json:
        print_json({"server": server, "seconds": each} for server, each in took)
    elif took:
        print_table(("server", "ms"), [(server, round(1000 * each, 2)) for server, each in took])
    return answers.worst


async def _known(asked: Awaitable[None], unknown: str) -> bool:
    """Tell whether a server knew what it was asked to change.

    Args:
        asked: The change.
        unknown: The error that says that it did not.
    """
    try:
        await asked
    except ServerError as error:
        if error.code != unknown:
            raise
        return False
    return True


@admin.command(epilog=examples("gear-admin cancel H:one.example.com:42"))
@click.argument("handles", type=_word, nargs=-1, required=True, metavar="HANDLE...")
@server_options
def cancel(target: Target, handles: tuple[bytes, ...]) -> Exit:
    """Take jobs back that are still queued."""

    async def cancelled(client: "AsyncAdminClient") -> set[bytes]:
        return {
            handle for handle in handles if await _known(client.cancel_job(handle), "UNKNOWN_JOB")
        }

    answers = _ask(target, cancelled)
    left = set(handles).difference(*(found for _, found in answers.results))
    for handle in sorted(left):
        complain(f"no server has a job {printable(handle)} that can be cancelled")
    return max(answers.worst, Exit.FAILED) if left else Exit.OK


@admin.command(epilog=examples("gear-admin create resize"))
@_FUNCTION
@server_options
def create(target: Target, function: bytes) -> Exit:
    """Make FUNCTION known before a worker has it."""
    return _ask(target, lambda client: client.create_function(function)).worst


@admin.command(epilog=examples("gear-admin drop resize"))
@_FUNCTION
@server_options
def drop(target: Target, function: bytes) -> Exit:
    """Forget FUNCTION, which has neither jobs nor workers."""

    async def dropped(client: "AsyncAdminClient") -> bool:
        return await _known(client.drop_function(function), "function not found")

    answers = _ask(target, dropped)
    if not answers.errors and not any(known for _, known in answers.results):
        fail(f"no server knows a function {printable(function)}", Exit.FAILED)
    return answers.worst


@admin.command(
    epilog=examples(
        "gear-admin maxqueue resize 1000",
        "gear-admin maxqueue resize 1000 500 100",
        "gear-admin maxqueue resize",
    )
)
@_FUNCTION
@click.argument("limits", type=Whole(0), nargs=-1, metavar="[LIMIT | HIGH NORMAL LOW]")
@server_options
def maxqueue(target: Target, function: bytes, limits: tuple[int, ...]) -> Exit:
    """Limit how many jobs FUNCTION may have.

    One LIMIT is for all precedences, three are for high, normal and low. 0 is for no limit, and so
    is none at all.
    """
    if len(limits) not in (0, 1, 3):
        raise click.UsageError("maxqueue takes one limit, or three: high, normal and low")
    return _ask(target, lambda client: client.max_queue(function, *limits)).worst


@admin.command(epilog=examples("gear-admin jobtimeout resize 60"))
@_FUNCTION
@click.argument("seconds", type=Whole(0))
@server_options
def jobtimeout(target: Target, function: bytes, seconds: int) -> Exit:
    """Limit how long a worker may have a job.

    The job of FUNCTION is then given to another worker. 0 SECONDS is for no limit. Only geard can.
    """
    return _ask(target, lambda client: client.job_timeout(function, seconds)).worst


@admin.command(epilog=examples("gear-admin joblog resize on", "gear-admin joblog '*' off"))
@_FUNCTION
@click.argument("switch", type=click.Choice(["on", "off"]))
@server_options
def joblog(target: Target, function: bytes, switch: str) -> Exit:
    """Log the jobs of a function, or no longer.

    The server's log then tells when a job of FUNCTION is submitted, assigned and ended. FUNCTION
    may be the beginning of names with a * at its end. Only geard can.
    """
    return _ask(target, lambda client: client.job_log(function, switch == "on")).worst


@admin.command(epilog=examples("gear-admin wait resize --timeout 600 && echo done"))
@_FUNCTION
@click.option(
    "--interval", type=Number(0.01), metavar="SECONDS", default=0.5,
    show_default=True, help="Time between two looks.",
)  # fmt: skip
@job_options
def wait(target: Target, function: bytes, interval: float) -> Exit:
    """Wait until FUNCTION has no jobs, queued or running.

    Ends with an error if a server cannot be asked: it may have some.
    """
    import asyncio

    from gear_admin.cli.answers import ask_all

    end = Deadline(target.limit)

    async def count(client: "AsyncAdminClient") -> int:
        return sum(row.total for row in await client.status() if row.function == function)

    async def emptied() -> "Answers[int]":
        while True:
            limit = Deadline(min(target.timeout, SERVER_TIMEOUT))
            answers = await ask_all(target.servers, limit, count)
            if answers.errors or not any(jobs for _, jobs in answers.results) or end.expired():
                return answers
            left = end.left()
            await asyncio.sleep(interval if left is None else min(interval, left))

    answers = asyncio.run(emptied())
    for text in answers.complaints():
        complain(text)
    left = sum(jobs for _, jobs in answers.results)
    if left and not answers.errors:
        fail(f"{left} jobs are left after {end.timeout:g} s", Exit.TIMED_OUT)
    return answers.worst


@admin.command(epilog=examples("gear-admin top", "gear-admin top --interval 0.5"))
@click.option(
    "--interval", type=Number(0.05), metavar="SECONDS", default=1.0,
    show_default=True, help="Time between two drawings.",
)  # fmt: skip
@server_options
def top(target: Target, interval: float) -> int:
    """Watch functions, workers and servers.

    The key ? lists the keys, q quits. A server that is gone is shown as such, until it is back.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        fail("top draws on a terminal; gear-admin status writes a table anywhere", Exit.USAGE)
    from gear_admin.cli.top.live import show

    return show(target.servers, target.timeout, interval)


@admin.group(
    cls=Commands,
    epilog=examples(
        "gear-admin acl list",
        "gear-admin acl grant register worker.example.com 'image\\..*'",
        "gear-admin acl grant see monitor.example.com",
        "gear-admin acl revoke all worker.example.com",
    ),
)
def acl() -> None:
    """Look at the access control list of geard, and change it.

    A subject is the common name of a client's certificate. The rights are register, invoke, grant,
    admin and see.
    """


_SUBJECT: Final = click.argument("subject", type=_word)
_REVOKED: Final = click.argument("right", type=click.Choice((*_RIGHTS, "all")))


@acl.command("list", epilog=examples("gear-admin acl list --json"))
@_AS_JSON
@server_options
def acl_list(target: Target, as_json: bool) -> Exit:
    """List who may do what."""

    async def rows(client: "AsyncAdminClient") -> Rows:
        return [
            (row.subject, row.register, row.invoke, row.grant, row.admin, row.see)
            for row in await client.access_list()
        ]

    return _show(target, as_json, ("subject", *_RIGHTS), rows)


@acl.command(
    "grant",
    epilog=examples(
        "gear-admin acl grant invoke web.example.com 'image\\..*'",
        "gear-admin acl grant admin ops.example.com",
    ),
)
@click.argument("right", type=click.Choice(_RIGHTS))
@_SUBJECT
@click.argument("pattern", type=_word, required=False)
@server_options
def acl_grant(target: Target, right: str, subject: bytes, pattern: bytes | None) -> Exit:
    """Give SUBJECT a right.

    For register and invoke, PATTERN is a regular expression of the functions that are meant.
    """
    if (right in ("register", "invoke")) is (pattern is None):
        raise click.UsageError("register and invoke take a PATTERN, the other rights take none")
    return _ask(target, lambda client: client.grant_access(right, subject, pattern)).worst


@acl.command("revoke", epilog=examples("gear-admin acl revoke invoke web.example.com"))
@_REVOKED
@_SUBJECT
@server_options
def acl_revoke(target: Target, right: str, subject: bytes) -> Exit:
    """Take a right, or all, from SUBJECT."""
    return _ask(target, lambda client: client.revoke_access(right, subject)).worst


@acl.command("self-revoke", epilog=examples("gear-admin acl self-revoke grant"))
@_REVOKED
@server_options
def acl_self_revoke(target: Target, right: str) -> Exit:
    """Give up a right, or all, of one's own certificate."""
    return _ask(target, lambda client: client.revoke_own_access(right)).worst
