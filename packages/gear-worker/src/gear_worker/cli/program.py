"""What ``gear-worker`` does: run an app with what goes beside it, check it, or run a program."""

import contextlib
import functools
import itertools
import sys
import traceback
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from gear_wire.cli.command import fail
from gear_wire.cli.exits import Exit, describe
from gear_wire.cli.output import print_json, print_table
from gear_wire.functions.app import App
from gear_wire.link.listen import Listen, find_listen
from gear_worker.cli.addresses import to_listen
from gear_worker.cli.apps import NoSuchApp, load_app
from gear_worker.cli.execute import program_app
from gear_worker.cli.health import HealthFile, health_pages
from gear_worker.cli.http import Pages, PageServer
from gear_worker.cli.logs import start_logging
from gear_worker.cli.options import Options
from gear_worker.runner import Runner, run
from gear_worker.schedule.scheduler import scheduling
from gear_worker.schedule.times import times_of

_OURS: Final = (__file__, load_app.__code__.co_filename)


def _load(name: str) -> App:
    """Return an app; a traceback if its module raises."""
    try:
        return load_app(name)
    except NoSuchApp as error:
        fail(describe(error), Exit.USAGE)
    except Exception as error:
        told = traceback.TracebackException.from_exception(error)
        # It begins in the user's code: what imported that is of no interest.
        ours = itertools.takewhile(_is_ours, told.stack)
        del told.stack[: len(list(ours))]
        sys.stderr.write("".join(told.format()))
        fail(f"{name.partition(':')[0]} could not be imported", Exit.FAILED)


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename in _OURS or "importlib" in frame.filename


def run_app(name: str, options: Options) -> int:
    """Run the app that the command line names, or check or describe it; returns the exit code."""
    app = _load(name)
    if options.check:
        return _check(app, options)
    if options.schema:
        return _print_schema(app)
    return _run(app, options)


def run_program(options: Options, function: str, command: Sequence[str]) -> int:
    """Run a program for each job until a signal comes; returns the exit code."""
    app = program_app(function, command, stream=options.stream, timeout=options.timeout)
    return _run(app, options)


def _run(app: App, options: Options) -> int:
    start = functools.partial(start_logging, options.log_level, options.log_format)
    start()
    done = run(
        app, options.settings, beside=lambda runner: _beside(app, runner, options), setup=start
    )
    return Exit.OK if done else Exit.FAILED


@contextlib.asynccontextmanager
async def _beside(app: App, runner: Runner, options: Options) -> AsyncIterator[None]:
    """Have a runner watched, and its app's schedule kept."""
    pages: dict[Listen, Pages] = {}
    async with contextlib.AsyncExitStack() as stack:
        if options.health is not None:
            listen = find_listen(options.health)
            if listen is None:
                await stack.enter_async_context(HealthFile(options.health, runner))
            else:
                pages[listen] = health_pages(runner)
        if options.metrics is not None:
            from gear_worker.cli.metrics import metrics_pages

            listen = to_listen(options.metrics)
            pages[listen] = {**pages.get(listen, {}), **metrics_pages(runner)}
        for listen, served in pages.items():
            await stack.enter_async_context(PageServer(listen, served))
        if options.schedule:
            settings = options.settings
            await stack.enter_async_context(
                scheduling(
                    app, settings.addresses(), settings.client_id, settings.heartbeat or None
                )
            )
        yield


def _check(app: App, options: Options) -> int:
    """Check an app as far as possible without a server, and list its functions."""
    app.check()
    for entry in app.schedule:
        times_of(entry)
    runnable = app.runnable()
    rows: list[dict[str, object]] = [
        {
            "function": name,
            "runs here": name in runnable,
            "timeout": function.options.timeout,
            "retries": function.options.retries.count,
            "rate": function.options.rate,
            "concurrency": function.options.concurrency,
            "every": [
                entry.cron or f"{entry.seconds:g} s"
                for entry in app.schedule
                if entry.function == name
            ],
        }
        for name, function in app.functions.items()
    ]
    if options.json:
        print_json(rows)
    else:
        columns = list(rows[0]) if rows else ["function"]
        print_table(columns, [list(row.values()) for row in rows])
    return Exit.OK


def _print_schema(app: App) -> int:
    """Print what an app's functions take and return, as JSON."""
    document = msgspec.json.format(msgspec.json.encode(app.schema()), indent=2)
    sys.stdout.write(document.decode() + "\n")
    return Exit.OK
