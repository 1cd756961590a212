"""All randomness of a world, from one seed."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """Decides what a world leaves open.

    All of it comes from `random.random`, whose numbers for a seed never change.

    Args:
        seed: The same seed decides the same.
    """

    def __init__(self, seed: int) -> None:
        self.fraction = random.Random(seed).random

    def happens(self, probability: float) -> bool:
        return self.fraction() < probability

    def below(self, limit: int) -> int:
        return int(self.fraction() * limit)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.fraction()

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.fraction() * len(options))]
