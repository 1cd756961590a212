"""Attacks with very many jobs."""

import math
import time
from collections.abc import Callable, Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.packets import Kind, packet
from benchmarks.attacks.target import Line, Target

MILLION = 1_000_000
ABANDONED = 500_000
DUE = 300_000
WAIT = 14
"""Seconds from the first submission until all are due."""
TIMED = 20_000
PIECE = 1_000


def submit(line: Line, number: int, job: Callable[[int], bytes]) -> None:
    """Submit so many jobs, and read what comes back."""
    for start in range(0, number, PIECE):
        line.send(b"".join(map(job, range(start, min(start + PIECE, number)))))
    line.drain()


def show_jobs(target: Target) -> Iterator[None]:
    """List a million jobs again and again."""
    with target.line() as line:
        with target.as_far_as_possible():
            job = packet(Kind.SUBMIT_JOB_BG, b"shown", b"", b"")
            submit(line, target.count(MILLION), lambda _: job)
        yield
    target.again_and_again(lambda line: line.flood(b"show jobs\nshow unique jobs\n"))


def abandoned(target: Target) -> Iterator[None]:
    """Submit half a million jobs and leave."""
    with target.line() as line:
        with target.as_far_as_possible():
            job = packet(Kind.SUBMIT_JOB, b"abandoned", b"", b"")
            submit(line, target.count(ABANDONED), lambda _: job)
        yield


def due(target: Target) -> Iterator[None]:
    """Have very many jobs due in one second."""
    with target.line() as line:
        when = math.ceil(time.time()) + max(2, WAIT // target.divisor)
        with target.as_far_as_possible():
            job = packet(Kind.SUBMIT_JOB_EPOCH, b"due", b"", b"%d" % when, b"")
            submit(line, target.count(DUE), lambda _: job)
            while time.time() < when - 0.2:
                target.rest(0.05)
        yield
        target.rest()


def one_unique(target: Target) -> Iterator[None]:
    """Give one unique to jobs of 20,000 functions, ask for it, and leave."""
    yield

    def ask(line: Line) -> None:
        def job(number: int) -> bytes:
            return packet(Kind.SUBMIT_JOB, b"u%d" % number, b"the-one", b"")

        submit(line, target.count(20_000), job)
        line.send(packet(Kind.GET_STATUS_UNIQUE, b"the-one") * PIECE)

    target.again_and_again(ask)


def timed(target: Target) -> Iterator[None]:
    """Take very many jobs that may run for a second each, and end none."""
    with target.line() as client, target.line() as worker:
        with target.as_far_as_possible():
            job = packet(Kind.SUBMIT_JOB_BG, b"timed", b"", b"")
            submit(client, target.count(TIMED), lambda _: job)
        yield
        worker.send(packet(Kind.CAN_DO_TIMEOUT, b"timed", b"1"))
        worker.flood(packet(Kind.GRAB_JOB) * PIECE)


ATTACKS = (
    Attack("show-jobs", "`show jobs` with a million jobs, again and again", show_jobs),
    Attack("abandoned", "a client with 500,000 jobs that leaves", abandoned),
    Attack("due", "300,000 jobs due in one second", due),
    Attack("one-unique", "one unique for jobs of 20,000 functions", one_unique),
    Attack("timed", "20,000 jobs taken that may run for a second, and not ended", timed),
)
