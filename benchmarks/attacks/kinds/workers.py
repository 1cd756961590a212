"""Attacks by workers."""

import contextlib
import select
from collections.abc import Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.packets import Kind, packet
from benchmarks.attacks.target import Line, Target

HOARDERS = 200
HOARD = 200
SLEEPERS = 1_000


def hoard(target: Target) -> Iterator[None]:
    """Take jobs as many workers, end none, leave, and come back."""
    yield

    def take(line: Line) -> None:
        line.send(packet(Kind.SUBMIT_JOB_BG, b"hoard", b"", b"") * (HOARD * HOARDERS))
        with contextlib.ExitStack() as stack:
            for worker in target.lines(target.count(HOARDERS), stack):
                worker.send(packet(Kind.CAN_DO, b"hoard") + packet(Kind.GRAB_JOB) * HOARD)
            line.drain()

    target.again_and_again(take)


def grab_and_leave(target: Target) -> Iterator[None]:
    """Take a job and leave, again and again."""
    with target.line() as client:
        with target.as_far_as_possible():
            client.send(packet(Kind.SUBMIT_JOB_BG, b"leave", b"", b"") * 1_000)
            client.drain()
        yield

    def take(line: Line) -> None:
        line.send(packet(Kind.CAN_DO, b"leave") + packet(Kind.GRAB_JOB))
        line.read()

    target.again_and_again(take)


def sleepers(target: Target) -> Iterator[None]:
    """Sleep as 1,000 workers of a function that has jobs, and never take one."""
    with contextlib.ExitStack() as stack:
        lines = []
        with target.as_far_as_possible():
            for _ in range(target.count(SLEEPERS)):
                lines.append(stack.enter_context(target.line()))
                lines[-1].send(packet(Kind.CAN_DO, b"asleep") + packet(Kind.PRE_SLEEP))
        yield
        by_descriptor = {line.socket.fileno(): line for line in lines}
        poll = select.poll()
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        jobs = packet(Kind.SUBMIT_JOB_BG, b"asleep", b"", b"") * 100
        with target.line() as client:
            while True:
                client.send(jobs)
                for descriptor, _ in poll.poll(0):
                    woken = by_descriptor[descriptor]
                    woken.read()
                    woken.send(packet(Kind.PRE_SLEEP))


def fail_all(target: Target) -> Iterator[None]:
    """End jobs that are not its own."""
    yield
    lie = packet(Kind.WORK_COMPLETE, b"H:localhost:1", b"lie") + packet(Kind.WORK_FAIL, b"H:x:2")
    target.again_and_again(lambda line: line.flood(lie * 1_000))


ATTACKS = (
    Attack("hoard", "200 workers take 200 jobs each, end none, and leave", hoard),
    Attack("grab-and-leave", "a worker takes a job and leaves, again and again", grab_and_leave),
    Attack("sleepers", "1,000 sleeping workers that take no job, woken again and again", sleepers),
    Attack("lies", "results of jobs that others work on", fail_all),
)
