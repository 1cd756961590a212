"""What a runner needs of wherever functions run."""

import logging
from typing import Protocol

from gear_wire.packets import BasePacket
from gear_worker.runner.calls import Call, Ending


class Owner(Protocol):
    """What a pool tells; all on the runner's loop."""

    @property
    def log(self) -> logging.Logger:
        """The runner's logger."""

    def report(self, call: Call, packet: BasePacket) -> None:
        """Send a report of a job that runs."""

    def ended(self, call: Call, ending: Ending) -> None:
        """Take in how a try ended."""

    def vacated(self, call: Call) -> None:
        """Note that a place is free again whose job was reported as ended before."""

    def given_up(self, call: Call) -> None:
        """Give a job back to its server."""

    def changed(self) -> None:
        """Note that another number of calls could start now."""


class Pool(Protocol):
    """Where plain functions run: threads or processes."""

    @property
    def up(self) -> int:
        """How many processes are up."""

    async def start(self) -> None:
        """Get ready to run calls."""

    def room(self) -> int:
        """Return how many calls could start now, apart from those that were begun."""

    def begin(self, call: Call) -> None:
        """Begin a try of a call."""

    def release(self, call: Call) -> None:
        """Note that there will be no other try of a call."""

    def cut(self) -> None:
        """End all tries that run, as far as that is possible; none is reported."""

    async def close(self) -> None:
        """Let go of all that the pool has."""
