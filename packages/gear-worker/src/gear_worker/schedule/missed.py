"""Which scheduled jobs came too late to a worker to be run; pure."""

from collections.abc import Iterable

from gear_wire.errors import ConfigurationError
from gear_wire.functions.schedule import Every
from gear_worker.schedule.times import Times, times_of


class Missed:
    """Tells which scheduled jobs a worker is to leave out.

    They are those whose time no entry of the schedule names any more, and those of entries that
    skip what was missed, once the next time has come.

    Args:
        schedule: The schedule of the worker's app.
    """

    def __init__(self, schedule: Iterable[Every]) -> None:
        self._entries: dict[str, list[tuple[Every, Times]]] = {}
        unread = set()
        for entry in schedule:
            try:
                known = self._entries.setdefault(entry.function, [])
                known.append((entry, times_of(entry)))
            except ConfigurationError:  # no library for cron: such a worker runs what it gets
                unread.add(entry.function)
        for function in unread:
            del self._entries[function]

    def is_missed(self, function: str, unique: bytes | None, now: float) -> bool:
        """Tell whether a job is to be left out.

        Args:
            function: Its function.
            unique: Its unique; a job without that of a due time is always run.
            now: The time in seconds since 1970.
        """
        entries = self._entries.get(function)
        if not entries or not unique:
            return False
        digits = unique.rpartition(b":")[2].decode(errors="replace")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 12:
            return False
        due = int(digits)
        if unique != entries[0][0].unique(due).encode():
            return False
        return all(
            times.before(due) != due or (entry.missed == "skip" and now >= times.after(due))
            for entry, times in entries
        )
