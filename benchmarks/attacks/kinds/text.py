"""Attacks by text command."""

from collections.abc import Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.kinds.floods import flood
from benchmarks.attacks.target import Target

DIGITS = 5_000
PIECE = 1 << 20
REQUEST = (
    b"POST / HTTP/1.1\r\nHost: localhost:4730\r\nContent-Length: 48\r\n\r\n"
    b"create function h\nmaxqueue h 1\nstatus\nworkers\n"
)


def endless_line(target: Target) -> Iterator[None]:
    """Send a line that never ends."""
    yield
    target.again_and_again(lambda line: line.flood(b"x" * PIECE))


def http(target: Target) -> Iterator[None]:
    """Post to it as a browser does, over new connections again and again."""
    yield
    target.again_and_again(lambda line: line.flood(REQUEST))


ATTACKS = (
    Attack("text", "text commands in a row", flood(b"version\nworkers\nstatus\nnonsense\n")),
    Attack("digits", "`maxqueue` with 5,000 digits, in a row", flood(
        b"create function d\nmaxqueue d " + b"9" * DIGITS + b"\ndrop function d\n"
    )),
    Attack("endless-line", "a text line that never ends", endless_line),
    Attack("http", "HTTP requests with text commands in their body", http),
)  # fmt: skip
