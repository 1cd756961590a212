"""Which due times of a function a scheduler hands to a server, and when; pure.

A job that a server keeps for later is there from the moment it is handed over until it has run. So
whoever hands the same job over again before it is due, another scheduler or the same one after a
reconnect, changes nothing: its unique, made of function and time, is known. After that moment the
unique may be forgotten, and a second job would run. All rules here follow from that.
"""

from collections.abc import Collection, Hashable
from typing import Final

import msgspec

from gear_wire.functions.schedule import Every
from gear_worker.schedule.times import Times

MARGIN: Final = 5.0
"""Seconds before a due time at which it is too late to hand its job over: clocks and packets may
be late by so much without a job's being there twice."""
AHEAD: Final = 10.0
"""Seconds ahead for which jobs are handed over; beyond that, only the next one."""
LAG: Final = 0.25
"""Seconds after a due time at which the next job is handed over. gearmand 1.1 wakes no sleeping
worker when a job comes due, but does for the one that is handed over then."""
FAILOVER: Final = 60.0
"""Seconds before a due time at which its job is handed to another server, if the one that has it is
not connected."""


class Holder(msgspec.Struct, frozen=True):
    """Who has a job.

    Attributes:
        server: The server.
        connection: The connection over which it was handed over: a server that was connected anew
            may have lost it.
    """

    server: Hashable
    connection: int


class Plan:
    """The due times of one entry of a schedule, as one scheduler knows them.

    Args:
        entry: The entry.
        times: When it is due.

    Attributes:
        entry: As given.
        held: Who has the job of which due time, as far as is known.
        crowded: Whether no jobs are handed over, since one waits for a worker for too long.
    """

    def __init__(self, entry: Every, times: Times) -> None:
        self.entry: Every = entry
        self.held: dict[int, Holder] = {}
        self.crowded: bool = False
        self._times = times

    def begin(self, now: float, holder: Holder) -> None:
        """Suppose that a server has the last two jobs: another scheduler may have given them."""
        last = self._times.before(now)
        for due in (self._times.before(last - 1), last):
            self.held.setdefault(due, holder)

    def overdue(self, now: float, holder: Holder) -> list[int]:
        """Return the due times of jobs that a server may still have, though a later one is due."""
        last = self._times.before(now)
        return [due for due, kept in self.held.items() if due < last and kept == holder]

    def forget_past(self, now: float, holder: Holder) -> None:
        """Forget the jobs that are due and that another server, or an earlier connection, had."""
        for due, kept in list(self.held.items()):
            if due <= now and kept != holder:
                del self.held[due]

    def wanted(self, now: float, holder: Holder, others: Collection[Holder] = ()) -> list[int]:
        """Return the due times whose jobs are to be handed to a server now.

        Args:
            now: The time.
            holder: The server.
            others: The other servers that are connected: what they have, they keep.
        """
        if self.crowded:
            return []
        found: list[int] = []
        due = self._times.after(now + MARGIN)
        while not found or due <= now + AHEAD:
            found.append(due)
            due = self._times.after(due)
        return [due for due in found if self._is_wanted(due, now, holder, others)]

    def _is_wanted(self, due: int, now: float, holder: Holder, others: Collection[Holder]) -> bool:
        kept = self.held.get(due)
        if kept is None:
            return True
        if kept.server == holder.server:
            return kept != holder
        return kept not in others and due - now <= FAILOVER

    def wake(self, now: float, holder: Holder) -> float:
        """Return when to look again, if nothing happens before."""
        moments = [self._times.after(now - LAG) + LAG]
        moments += [
            due - FAILOVER
            for due, kept in self.held.items()
            if kept.server != holder.server and due - FAILOVER > now
        ]
        return min(moments)
