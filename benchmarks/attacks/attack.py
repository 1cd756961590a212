"""What an attack is made of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.attacks.target import Target

Course = Callable[[Target], Iterator[None]]
"""Prepares itself, yields once, and attacks until the time is up."""


@dataclass(frozen=True)
class Attack:
    """An attack.

    Attributes:
        name: One word.
        title: What is done, in a line.
        course: Does it.
        tls: Whether the server and the innocent speak TLS.
    """

    name: str
    title: str
    course: Course
    tls: bool = False
