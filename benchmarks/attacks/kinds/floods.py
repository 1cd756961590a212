"""Floods of small requests on one connection."""

from collections.abc import Iterator

from benchmarks.attacks.attack import Attack, Course
from benchmarks.attacks.packets import Kind, packet
from benchmarks.attacks.target import Target

AT_ONCE = 5_000
"""Packets in a piece of the flood."""


def flood(data: bytes, *, reading: bool = True) -> Course:
    """Return the course that sends the same again and again."""

    def course(target: Target) -> Iterator[None]:
        yield
        target.again_and_again(lambda line: line.flood(data * AT_ONCE, reading=reading))

    return course


ECHO = packet(Kind.ECHO_REQ)

ATTACKS = (
    Attack("echo", "ECHO_REQs of 12 bytes in a row, answers read", flood(ECHO)),
    Attack("echo-unread", "the same, answers not read", flood(ECHO, reading=False)),
    Attack("get-status", "GET_STATUS in a row", flood(packet(Kind.GET_STATUS, b"H:none:1"))),
    Attack("grabs", "GRAB_JOB in a row, with nothing to do", flood(packet(Kind.GRAB_JOB))),
    Attack("client-ids", "SET_CLIENT_ID in a row", flood(packet(Kind.SET_CLIENT_ID, b"i" * 64))),
)
