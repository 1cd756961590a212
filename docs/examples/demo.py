"""A job server, three workers and a client: counts the words of files, and reverses a text.

Everything runs on this machine: the server is a process of its own, two workers are threads, one
runs on asyncio, and the client watches what becomes of its jobs.
"""

import argparse
import asyncio
import collections
import contextlib
import json
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

import gear

HOST = "127.0.0.1"
COUNT, REVERSE = "count-words", "reverse"
ROOT = Path(__file__).resolve().parents[2]
PIECE_SIZE = 1 << 16
LONG_WORD = 5
WAIT = 20.0
_LISTENS = re.compile(r"listening on .* port (\d+)")
_WORD = re.compile(r"[^\W\d_]+")

Words = collections.Counter[str]


# What the workers do


def pieces_of(text: bytes) -> list[bytes]:
    """Cut a text between lines, so that there is progress to tell of."""
    pieces = []
    start = 0
    while start < len(text):
        end = text.find(b"\n", start + PIECE_SIZE) + 1 or len(text)
        pieces.append(text[start:end])
        start = end
    return pieces


def words_of(piece: bytes) -> Words:
    """Count the words of a piece."""
    return Words(_WORD.findall(piece.decode(errors="replace").lower()))


def report(words: Words, worker: str) -> str:
    """Return what a client is told of a text, as JSON."""
    long_words = Words({word: times for word, times in words.items() if len(word) >= LONG_WORD})
    frequent = [f"{word} ({times})" for word, times in long_words.most_common(1)]
    return json.dumps([words.total(), len(words), "".join(frequent), worker])


class ThreadWorker(threading.Thread):
    """A worker in a thread: the documented `gear.Worker`."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(name=name)
        self._worker = gear.Worker(name)
        self._worker.addServer(HOST, port)
        for function in (COUNT, REVERSE):
            self._worker.registerFunction(function)

    def run(self) -> None:
        """Do one job after the other until the worker is shut down."""
        with contextlib.suppress(gear.InterruptedError):
            while True:
                with self._worker.getJob() as job:
                    self._do(job)

    def _do(self, job: gear.WorkerJob) -> None:
        if job.name == REVERSE:
            job.sendWorkComplete(job.arguments[::-1])
            return
        words = Words()
        pieces = pieces_of(job.arguments)
        for done, piece in enumerate(pieces, 1):
            words.update(words_of(piece))
            job.sendWorkStatus(done, len(pieces))
        job.sendWorkComplete(report(words, self.name))

    def stop(self) -> None:
        """Have the thread end."""
        self._worker.shutdown()
        self.join()


class AsyncioWorker(threading.Thread):
    """A worker on asyncio, whose loop runs in a thread here only to be beside the others."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(name=name)
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._work())

    def run(self) -> None:
        """Do one job after the other until the task is cancelled."""
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _work(self) -> None:
        async with gear.AsyncWorker(self.name) as worker:
            worker.add_server(HOST, self._port)
            for function in (COUNT, REVERSE):
                worker.register(function)
            async for job in worker:
                async with job:
                    await self._do(job)

    async def _do(self, job: gear.AsyncWorkerJob) -> None:
        if job.name == REVERSE:
            await job.complete(job.arguments[::-1])
            return
        words = Words()
        pieces = pieces_of(job.arguments)
        for done, piece in enumerate(pieces, 1):
            # Counting keeps a processor busy: in a thread, it does not keep the loop.
            words.update(await asyncio.to_thread(words_of, piece))
            await job.status(done, len(pieces))
        await job.complete(report(words, self.name))

    def stop(self) -> None:
        """Have the thread end."""
        self._loop.call_soon_threadsafe(self._task.cancel)
        self.join()


# What the client does


class Progress:
    """Shows how far all jobs together have come: a bar on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self.jobs: list[gear.Job] = []
        self._terminal = sys.stdout.isatty()
        self._shown = 0

    def show(self) -> None:
        """Show where the jobs stand, if that has changed enough to see."""
        done = sum(job.complete for job in self.jobs)
        size = counted = 0.0
        for job in self.jobs:
            size += len(job.arguments)
            counted += len(job.arguments) * (job.complete or job.fraction_complete or 0.0)
        percent = int(100 * counted / size)
        step = 1 if self._terminal else 10
        if percent < self._shown + step and done < len(self.jobs):
            return
        self._shown = percent
        text = f"{percent:3} % of all bytes counted, {done} of {len(self.jobs)} jobs done"
        if not self._terminal:
            print(text, flush=True)
            return
        bar = "#" * (percent * 30 // 100)
        print(f"\r[{bar:30}] {text}", end="", flush=True)

    def end(self) -> None:
        """Leave the line of the bar."""
        if self._terminal:
            print()


class WatchingClient(gear.Client):
    """A client that shows what the server tells it, the moment it does."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        super().__init__("demo client")

    def handleWorkStatus(self, packet: gear.Packet) -> gear.Job:
        """Show how far a job has come."""
        job = super().handleWorkStatus(packet)
        self._progress.show()
        return job

    def handleWorkComplete(self, packet: gear.Packet) -> gear.Job:
        """Show that a job is done."""
        job = super().handleWorkComplete(packet)
        self._progress.show()
        return job


def submit_all(port: int, texts: dict[str, bytes]) -> dict[str, gear.Job]:
    """Submit a job a file, wait for all, and return them by the file's name."""
    progress = Progress()
    jobs = {name: gear.Job(COUNT, text) for name, text in texts.items()}
    reverse = gear.Job(REVERSE, "test string")
    progress.jobs = [reverse, *jobs.values()]
    client = WatchingClient(progress)
    try:
        client.addServer(HOST, port)
        client.waitForServer(WAIT)
        for job in progress.jobs:
            client.submitJob(job)
        for job in progress.jobs:
            job.wait()
    finally:
        client.shutdown()
        progress.end()
    print(f"\n{REVERSE}: test string -> {reverse.result().decode()}\n")
    return jobs


def print_table(jobs: dict[str, gear.Job], seconds: float) -> int:
    """Print what the workers found; returns how many jobs failed."""
    width = max(len("file"), *(len(name) for name in jobs))
    row = f"{{:{width}}}  {{:>9}}  {{:>8}}  {{:24}}  {{}}".format
    print(row("file", "words", "distinct", "most frequent long word", "counted by"))
    total = failed = 0
    counted_by = collections.Counter[str]()
    for name, job in jobs.items():
        try:
            words, distinct, frequent, worker = json.loads(job.result())
        except gear.JobFailedError as error:
            print(f"{name:{width}}  {error}")
            failed += 1
            continue
        print(row(name, words, distinct, frequent or "-", worker))
        total += words
        counted_by[worker] += 1
    shares = ", ".join(f"{worker} {number}" for worker, number in sorted(counted_by.items()))
    print(f"\n{len(jobs)} files, {total} words in {seconds:.2f} s; files by worker: {shares}")
    return failed


# The whole


@contextlib.contextmanager
def running_geard() -> Iterator[int]:
    """Run a server in a process of its own, at a free port; gives the port."""
    program = shutil.which("geard", path=sysconfig.get_path("scripts")) or "geard"
    options = ["-d", "--listen-address", HOST, "--port", "0", "--verbose", "INFO"]
    process = subprocess.Popen([program, *options], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None  # it is a pipe
    try:
        log = []
        for line in process.stderr:
            log.append(line)
            if found := _LISTENS.search(line):
                break
        else:
            raise RuntimeError(f"geard does not start: {''.join(log).strip()}")
        print(f"geard listens at {HOST} port {found[1]}, process {process.pid}", flush=True)
        # The rest of its log is read, so that it never waits for a reader, and dropped.
        reading = threading.Thread(target=collections.deque, args=(process.stderr, 0))
        reading.start()
        yield int(found[1])
    finally:
        process.terminate()
        process.wait()
    reading.join()


@contextlib.contextmanager
def running_workers(port: int) -> Iterator[None]:
    """Run three workers."""
    workers: list[ThreadWorker | AsyncioWorker] = [
        ThreadWorker("thread 1", port),
        ThreadWorker("thread 2", port),
        AsyncioWorker("asyncio", port),
    ]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()


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
    # A connection that is lost is news only while nobody is stopping.
    logging.getLogger("gear").addHandler(logging.NullHandler())
    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in stopping:
        signal.signal(number, end_now)
    try:
        with running_geard() as port, running_workers(port):
            try:
                start = time.monotonic()
                jobs = submit_all(port, texts)
                return 1 if print_table(jobs, time.monotonic() - start) else 0
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
