"""How many bytes are kept for connections of one kind, in all, and which has the most."""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

Holder = TypeVar("Holder", bound=Hashable)
FEW: Final = 65536
"""Bytes up to which what is kept for a connection is not counted."""


class Holdings(Generic[Holder]):
    """Counts what is kept for those connections for which more than a `FEW` bytes are.

    Attributes:
        total: Bytes in all.
    """

    def __init__(self) -> None:
        self.total: int = 0
        self._sizes: dict[Holder, int] = {}

    def note(self, holder: Holder, size: int) -> None:
        """Note how many bytes are kept for a connection now."""
        before = self._sizes.pop(holder, 0)
        if size > FEW:
            self._sizes[holder] = size
        else:
            size = 0
        self.total += size - before

    def largest(self) -> Holder:
        """Return the connection for which the most is kept; there must be one."""
        return max(self._sizes, key=self._sizes.__getitem__)
