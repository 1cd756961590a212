"""A job server, two workers and a client: counts the words of files.

Everything runs on this machine, in processes as it would run on several: geard is the server, the
workers are two of gear-worker, which run the function in words.py, and this program calls it.
"""

import argparse
import asyncio
import collections
import contextlib
import logging
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich import progress
from rich.console import Console
from rich.table import Table

import gear
from words import Words, count_words

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HOST = "127.0.0.1"
WORKERS = 2
WAIT = 20.0
_LISTENS = re.compile(r"listening on .* port (\d+)")


# The client


async def count_all(
    port: int, texts: dict[str, bytes], console: Console
) -> list[Words | BaseException]:
    """Have all texts counted, as many at a time as there are places; show how far they are."""
    async with gear.AsyncClient("demo") as client:
        client.add_server(HOST, port)
        await client.wait_for_server(WAIT)
        with progress_bar(console) as bar:
            size = sum(map(len, texts.values()))
            task = bar.add_task("counting", total=size, jobs=len(texts), done=0)
            calls = (count(client, text, bar, task) for text in texts.values())
            return await asyncio.gather(*calls, return_exceptions=True)


async def count(
    client: gear.AsyncClient, text: bytes, bar: progress.Progress, task: progress.TaskID
) -> Words:
    """Have one text counted, and move the bar as its worker tells of its progress."""
    job = await client.start(count_words, text)
    shown = 0.0
    async for _ in job.updates():
        done = len(text) * (job.progress or 0.0)
        bar.advance(task, done - shown)
        shown = done
    bar.advance(task, len(text) - shown)
    bar.update(task, done=bar.tasks[task].fields["done"] + 1)
    return await job


def progress_bar(console: Console) -> progress.Progress:
    """Return a bar of all bytes, with the number of jobs that have ended."""
    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[done]} of {task.fields[jobs]} jobs done"),
        console=console,
    )


def print_table(
    console: Console, names: Sequence[str], found: Sequence[Words | BaseException], seconds: float
) -> int:
    """Print what the workers found; returns how many jobs failed."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("words", justify="right")
    table.add_column("distinct", justify="right")
    table.add_column("most frequent long word")
    table.add_column("counted by", style="dim")
    total, failed = 0, 0
    for name, words in zip(names, found, strict=True):
        if isinstance(words, BaseException):
            failed += 1
            table.add_row(name, "", "", str(words), "")
            continue
        total += words.total
        frequent = f"{words.frequent} ({words.times})" if words.frequent else "-"
        worker = f"process {words.counted_by}"
        table.add_row(name, str(words.total), str(words.distinct), frequent, worker)
    console.print(table)
    console.print(f"\n{len(names)} files, {total} words in {seconds:.2f} s")
    return failed


# The server and the workers


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """End a program at the end of a block."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def program(name: str) -> str:
    """Return where a program of this environment is."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or name


@contextlib.contextmanager
def running_geard(console: Console) -> Iterator[int]:
    """Run a server at a free port; gives the port."""
    options = ["-d", "--listen-address", HOST, "--port", "0", "--verbose", "INFO"]
    process = subprocess.Popen([program("geard"), *options], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None  # it is a pipe
    with ended(process):
        log = []
        for line in process.stderr:
            log.append(line)
            if found := _LISTENS.search(line):
                break
        else:
            raise RuntimeError(f"geard does not start: {''.join(log).strip()}")
        console.print(f"geard listens at {HOST} port {found[1]}, process {process.pid}")
        # The rest of its log is read, so that it never waits for a reader, and dropped.
        reading = threading.Thread(target=collections.deque, args=(process.stderr, 0))
        reading.start()
        yield int(found[1])
    reading.join()


@contextlib.contextmanager
def running_workers(port: int, console: Console) -> Iterator[None]:
    """Run the workers, and wait until the server has them all."""
    options = ["words:app", "--server", f"{HOST}:{port}", "--concurrency", "2", "--grace", "0"]
    command = [program("gear-worker"), *options, "--log-level", "error"]
    with contextlib.ExitStack() as stack:
        processes = []
        for number in range(1, WORKERS + 1):
            processes.append(subprocess.Popen(command, cwd=HERE, text=True))
            stack.enter_context(ended(processes[-1]))
            console.print(f"gear-worker {number} runs words:app, process {processes[-1].pid}")
        with gear.AdminClient(HOST, port) as admin:
            while sum(row.workers for row in admin.status()) < WORKERS:
                if any(process.poll() is not None for process in processes):
                    raise RuntimeError("a worker does not start")
                time.sleep(0.02)  # a server tells nobody of new workers
        yield


# The whole


def own_documents() -> list[Path]:
    """Return the guides of this project."""
    return [ROOT / "README.md", ROOT / "docs/tutorial.md", *sorted(ROOT.glob("docs/how-to/*.md"))]


def read(paths: Sequence[Path]) -> dict[str, bytes]:
    """Return the texts of files by their names; OSError for one that cannot be read."""
    return {
        str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path): path.read_bytes()
        for path in paths
    }


def end_now(number: int, frame: FrameType | None) -> NoReturn:
    """End on a signal as on Ctrl-C: everything that was started is stopped on the way out."""
    raise KeyboardInterrupt(number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; returns the program's exit code."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__.splitlines()[0])
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="a file to count the words of (default: the guides of this project)",
    )
    options = parser.parse_args(arguments)
    try:
        texts = read(options.files or own_documents())
    except OSError as error:
        parser.exit(2, f"demo: cannot read {error.filename}: {error.strerror}\n")
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    # A connection that is lost is news only while nobody is stopping.
    logging.getLogger("gear").addHandler(logging.NullHandler())
    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in stopping:
        signal.signal(number, end_now)
    try:
        with running_geard(console) as port, running_workers(port, console):
            try:
                start = time.monotonic()
                found = asyncio.run(count_all(port, texts, console))
                seconds = time.monotonic() - start
                return 1 if print_table(console, list(texts), found, seconds) else 0
            finally:
                for number in stopping:
                    signal.signal(number, signal.SIG_IGN)
    except KeyboardInterrupt as interrupt:
        print("\ndemo: interrupted; everything is stopped", file=sys.stderr)
        return 128 + int(interrupt.args[0])
    except (RuntimeError, OSError, gear.GearmanError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
