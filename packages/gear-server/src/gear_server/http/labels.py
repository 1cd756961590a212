"""Which functions are shown by name, where there may be too many for that."""

from collections.abc import Mapping
from typing import Final

from gear_server.engine.state import Function
from gear_server.engine.tally import Tally
from gear_server.http.exposition import escape

OTHER: Final = "other"
"""The name under which the other functions are shown, all together."""


class Labels:
    """The names of functions, as long as there are not too many; the others have none.

    What is shown of a counter must never become less. So a function that has its name keeps it
    until it is forgotten, and one that was counted among the others once is always counted there.

    Args:
        most: How many functions have a name.

    Attributes:
        names: The functions that have one, as it is written, in the order in which they were seen.
        others: The functions that have none.
        retired: What had happened to the jobs of functions that had a name, and are forgotten.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = {OTHER}
        self.names: dict[Function, str] = {}
        self.others: set[Function] = set()
        self.retired: Tally = Tally()

    def update(self, functions: Mapping[bytes, Function]) -> None:
        """Forget the functions that are no longer there, and give names to new ones."""
        there = set(functions.values())
        for function in self.names.keys() - there:
            self._taken.remove(self.names.pop(function))
            self.retired.add(function.tally)
        self.others &= there
        new = there - self.others - self.names.keys()
        for function in filter(new.__contains__, functions.values()) if new else ():
            if len(self.names) == self._most:
                break
            # Two names that are not text may be shown as the same one.
            name = escape(function.name.decode(errors="backslashreplace"))
            if name not in self._taken:
                self.names[function] = name
                self._taken.add(name)
        self.others |= new - self.names.keys()
