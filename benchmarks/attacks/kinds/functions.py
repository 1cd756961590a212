"""Attacks with very many functions."""

from collections.abc import Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.packets import Kind, packet
from benchmarks.attacks.target import Line, Target

PIECE = 1_000
FUNCTIONS = 10_000
WIDE = 20_000
NAMES = 500_000
ABILITIES = 1_000_000


def register(line: Line, start: int, number: int) -> None:
    """Register so many functions."""
    for first in range(start, start + number, PIECE):
        last = min(first + PIECE, start + number)
        line.send(b"".join(packet(Kind.CAN_DO, b"f%d" % n) for n in range(first, last)))


def submit(line: Line, start: int, number: int) -> None:
    """Submit a job of each of so many functions."""
    for first in range(start, start + number, PIECE):
        last = min(first + PIECE, start + number)
        jobs = (packet(Kind.SUBMIT_JOB_BG, b"f%d" % n, b"", b"") for n in range(first, last))
        line.send(b"".join(jobs))


def reset(target: Target) -> Iterator[None]:
    """Register 10,000 functions, take a job of each, and forget all of them, over and over."""
    yield

    def forget(line: Line) -> None:
        number = target.count(FUNCTIONS)
        register(line, 0, number)
        submit(line, 0, number)
        line.send(packet(Kind.GRAB_JOB) * number)
        line.send(packet(Kind.RESET_ABILITIES))
        line.drain()

    target.again_and_again(forget)


def able(target: Target) -> Iterator[None]:
    """Register a million functions, and leave."""
    with target.line() as line:
        with target.as_far_as_possible():
            register(line, 0, target.count(ABILITIES))
            line.drain()
        yield


def wide(target: Target) -> Iterator[None]:
    """Ask for jobs as a worker with 20,000 functions, beside 20,000 others that have jobs."""
    with target.line() as client, target.line() as worker:
        with target.as_far_as_possible():
            submit(client, 0, target.count(WIDE))
            register(worker, WIDE, target.count(WIDE))
            worker.drain()
        yield
        worker.flood(packet(Kind.GRAB_JOB) * PIECE)


def submitted(target: Target) -> Iterator[None]:
    """Submit jobs of half a million functions."""
    with target.line() as line:
        yield
        submit(line, 0, target.count(NAMES))


def created(target: Target) -> Iterator[None]:
    """Create half a million functions by text command."""
    with target.line() as line:
        yield
        for first in range(0, target.count(NAMES), PIECE):
            names = range(first, first + PIECE)
            line.send(b"".join(b"create function c%d\nmaxqueue c%d 9\n" % (n, n) for n in names))


ATTACKS = (
    Attack("reset", "RESET_ABILITIES with 10,000 functions and jobs", reset),
    Attack("able", "a worker with a million functions that leaves", able),
    Attack("wide", "a worker with 20,000 functions beside 20,000 with jobs", wide),
    Attack("submitted", "jobs of half a million functions", submitted),
    Attack("created", "`create function` half a million times", created),
)
