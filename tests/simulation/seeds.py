"""Runs the worlds of seeds, and tells of those that fail."""

import logging
from collections.abc import Iterable

import msgspec

from gear_server.engine.engine import Engine
from simulation.trace import Print
from simulation.world import AUDIT_EVERY, World


class Failure(msgspec.Struct, frozen=True):
    """A world in which something was not as it must be.

    Attributes:
        seed: Its seed.
        when: Seconds since its beginning.
        what: What was wrong.
    """

    seed: int
    when: float
    what: str

    def __str__(self) -> str:
        return (
            f"seed {self.seed} failed after {self.when:.6f} s: {self.what}\n"
            f"replay: hatch run simulate --seed {self.seed}"
        )


def run_seed(
    seed: int,
    engine_type: type[Engine] = Engine,
    audit_every: int = AUDIT_EVERY,
    print_line: Print | None = None,
) -> Failure | None:
    """Run the world of a seed; returns what was wrong in it, or None.

    Args:
        seed: The seed.
        engine_type: The class of its servers' engines.
        audit_every: After how many turns of a server its state is checked.
        print_line: Takes a line about each event.
    """
    world = World(seed, engine_type, audit_every, print_line)
    try:
        world.run()
    except Exception as error:
        if print_line is not None:
            raise
        return Failure(seed, world.clock.now, f"{type(error).__name__}: {error}")
    return None


def run_seeds(seeds: Iterable[int], engine_type: type[Engine] = Engine) -> Failure | None:
    """Run the worlds of seeds until one fails; returns the first failure, or None."""
    # What goes wrong here is meant to: a line for each would take longer than the worlds.
    logger = logging.getLogger("gear.Server")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        failures = (run_seed(seed, engine_type) for seed in seeds)
        return next((failure for failure in failures if failure is not None), None)
    finally:
        logger.setLevel(level)
