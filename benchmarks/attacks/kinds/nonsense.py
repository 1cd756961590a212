"""Attacks with what is no Gearman, or no right one."""

import random
from collections.abc import Iterator

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.kinds.floods import AT_ONCE
from benchmarks.attacks.packets import RESPONSE, Kind, packet
from benchmarks.attacks.target import Line, Target

SEED = 4730
JUNK = 1 << 20


def junk(target: Target) -> Iterator[None]:
    """Send random bytes, over new connections again and again."""
    yield
    noise = random.Random(SEED)
    target.again_and_again(lambda line: line.flood(noise.randbytes(JUNK)))


def wrong_magic(target: Target) -> Iterator[None]:
    """Send packets as servers do, of all types and of none."""
    yield
    wrong = b"".join(packet(kind, b"w", magic=RESPONSE) for kind in range(50))
    target.again_and_again(lambda line: line.flood(wrong * (AT_ONCE // 50)))


def wrong_arguments(target: Target) -> Iterator[None]:
    """Send packets of all types with too few arguments."""
    yield
    wrong = b"".join(packet(kind, b"w") for kind in range(50))
    target.again_and_again(lambda line: line.flood(wrong * (AT_ONCE // 50)))


def forge(target: Target) -> Iterator[None]:
    """Register, submit and call itself what breaks tables and logs."""
    yield
    bad = b"a\t1\t1\t1\n.\nb\x1b[2J"
    forged = b"".join([
        packet(Kind.CAN_DO, bad),
        packet(Kind.SET_CLIENT_ID, bad),
        packet(Kind.SUBMIT_JOB_BG, bad, b".", b""),
        packet(Kind.SUBMIT_JOB_BG, b"forged", bad, b""),
        b"workers\nstatus\nshow unique jobs\n",
    ])  # fmt: skip

    def send(line: Line) -> None:
        line.flood(forged * 200)

    target.again_and_again(send)


ATTACKS = (
    Attack("junk", "random bytes", junk),
    Attack("wrong-magic", "packets of all types with the magic of a server", wrong_magic),
    Attack("wrong-arguments", "packets of all types with too few arguments", wrong_arguments),
    Attack("forged", "names, ids and uniques with tabs, newlines and escapes", forge),
)
