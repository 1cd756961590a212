"""Attacks on the server's memory: little is sent, and much is to be kept or answered."""

import contextlib
from collections.abc import Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.packets import Kind, packet, unfinished
from benchmarks.attacks.target import Line, Target

FANS = 100_000
DATA = 60_000
LONG_NAME = 1 << 20
ALLOWED_NAME = 512
NAMES = 1_000
RESULT = 4 << 20
SLOW_READERS = 16
HALVES = 64
HALF = 32 << 20
TRICKLERS = 500
KEPT = 64 << 10


def status(target: Target) -> Iterator[None]:
    """Ask for a long table again and again, without reading."""
    yield
    names = b"".join(packet(Kind.CAN_DO, b"%0*d" % (ALLOWED_NAME, n)) for n in range(NAMES))

    def ask(line: Line) -> None:
        with contextlib.suppress(OSError):
            line.send(packet(Kind.CAN_DO, b"n" * LONG_NAME))
            line.flood(b"status\n" * 2000, reading=False)

    def ask_again(line: Line) -> None:
        line.send(names)
        line.flood(b"status\n" * 2000, reading=False)

    def both(line: Line) -> None:
        ask(line)
        with target.line() as other:
            ask_again(other)

    target.again_and_again(both)


def fans(target: Target) -> Iterator[None]:
    """Wait for one job 100,000 times, and have its worker send it data."""
    yield

    def wait_for_data(line: Line) -> None:
        with target.line() as worker:
            one = packet(Kind.SUBMIT_JOB, b"fans", b"one", b"")
            for _ in range(100):
                line.send(one * target.count(FANS // 100))
            worker.send(packet(Kind.CAN_DO, b"fans") + packet(Kind.GRAB_JOB), reading=False)
            handle = b""
            while not handle:
                for kind, body in worker.packets():
                    if kind == Kind.JOB_ASSIGN:
                        handle = body.partition(b"\0")[0]
                    elif kind == Kind.NO_JOB:
                        worker.send(packet(Kind.GRAB_JOB), reading=False)
            worker.flood(packet(Kind.WORK_DATA, handle, b"d" * DATA))

    target.again_and_again(wait_for_data)


def slow_readers(target: Target) -> Iterator[None]:
    """Have workers answer with large results that nobody reads."""
    yield

    def let_work(line: Line) -> None:
        with contextlib.ExitStack() as stack:
            readers = target.lines(SLOW_READERS, stack)
            for reader in readers:
                reader.send(packet(Kind.SUBMIT_JOB, b"slow", b"", b"") * 16, reading=False)
            line.send(packet(Kind.CAN_DO, b"slow") + packet(Kind.GRAB_JOB), reading=False)
            while True:
                for kind, body in line.packets():
                    if kind == Kind.JOB_ASSIGN:
                        handle = body.partition(b"\0")[0]
                        result = packet(Kind.WORK_COMPLETE, handle, b"r" * RESULT)
                        line.send(result + packet(Kind.GRAB_JOB), reading=False)
                    elif kind == Kind.NO_JOB:
                        target.rest(0.01)
                        line.send(packet(Kind.GRAB_JOB), reading=False)

    target.again_and_again(let_work)


def halves(target: Target) -> Iterator[None]:
    """Send half of many large packets."""
    yield
    half = unfinished(Kind.SUBMIT_JOB_BG, b"half", b"", b"h" * HALF, promise=2 * HALF)

    def send(line: Line) -> None:
        line.send(half)
        with contextlib.ExitStack() as stack:
            for other in target.lines(target.count(HALVES), stack):
                with contextlib.suppress(OSError):
                    other.send(half)
            target.rest()

    target.again_and_again(send)


def tricklers(target: Target) -> Iterator[None]:
    """Begin large packets on many connections, and go on with a byte now and then."""
    yield

    def trickle(line: Line) -> None:
        with contextlib.ExitStack() as stack:
            lines = [line, *target.lines(target.count(TRICKLERS), stack)]
            for each in lines:
                each.send(unfinished(Kind.ECHO_REQ))
            while lines:
                target.rest(0.1)
                for each in tuple(lines):
                    try:
                        each.send(b"e")
                    except OSError:
                        lines.remove(each)

    target.again_and_again(trickle)


def payloads(target: Target) -> Iterator[None]:
    """Submit background jobs with large payloads, and never work on them."""
    yield
    job = packet(Kind.SUBMIT_JOB_BG, b"payloads", b"", b"p" * KEPT)
    target.again_and_again(lambda line: line.flood(job * 16))


ATTACKS = (
    Attack("status", "`status` with long names, again and again, unread", status),
    Attack("fans", "one job awaited 100,000 times, and WORK_DATA of 60 kB for it", fans),
    Attack("slow-readers", "results of 4 MiB for clients that never read", slow_readers),
    Attack("halves", "64 packets of 64 MiB, of which half is sent", halves),
    Attack("tricklers", "500 packets that promise 128 MiB and bring a byte at a time", tricklers),
    Attack("payloads", "background jobs of 64 KiB that nobody works on", payloads),
)
