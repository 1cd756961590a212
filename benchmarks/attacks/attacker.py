"""One attacker: prepares itself, says ``ready``, waits for ``strike``, attacks, and ends."""

import argparse
import resource
import signal
import sys
from collections.abc import Sequence

from benchmarks.attacks.kinds import ATTACKS
from benchmarks.attacks.target import Target

MOST_MEMORY = 4 << 30
SPARE = 30.0
"""Seconds after which an attacker that does not end by itself is ended by the system."""


def say(word: str) -> None:
    """Tell who started this."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an attack; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("divisor", type=int)
    parser.add_argument("preparing", type=float, help="most seconds to prepare")
    parser.add_argument("seconds", type=float, help="of the attack")
    options = parser.parse_args(arguments)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    signal.setitimer(signal.ITIMER_REAL, 2 * options.preparing + options.seconds + SPARE)

    target = Target(options.port, options.divisor)
    target.give(options.preparing)
    course = ATTACKS[options.name].course(target)
    next(course)
    say("ready")
    sys.stdin.readline()
    target.give(options.seconds)
    with target.as_far_as_possible():
        next(course, None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
