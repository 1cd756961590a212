"""Jobs whose data is text instead of bytes."""

from collections.abc import Iterable, Iterator
from typing import SupportsIndex

from gear_client.jobs import Job


def decode(data: str | bytes) -> str:
    """Return UTF-8 as text; `encode` restores bytes that are not valid UTF-8."""
    return data if isinstance(data, str) else data.decode(errors="surrogateescape")


def encode(data: str | bytes) -> bytes:
    """Return text as UTF-8; the inverse of `decode`."""
    return data if isinstance(data, bytes) else data.encode(errors="surrogateescape")


class TextList(list[str]):
    """A list that turns the bytes put into it to text."""

    def append(self, item: str | bytes) -> None:
        """Append text, or bytes of UTF-8."""
        super().append(decode(item))

    def extend(self, items: Iterable[str | bytes]) -> None:
        """Append each of several texts."""
        super().extend(decode(item) for item in items)

    def insert(self, index: SupportsIndex, item: str | bytes) -> None:
        """Insert text, or bytes of UTF-8."""
        super().insert(index, decode(item))


class TextJob(Job):
    """A job whose arguments, unique, data and exception are text.

    Args:
        name: The function to run.
        arguments: The data for it, as text or as bytes of UTF-8.
        unique: A key by which the server coalesces equal jobs; None for none.
    """

    data_type = TextList  # type: ignore[assignment]  # text is what this class is for

    @property  # type: ignore[override]  # text is what this class is for
    def arguments(self) -> str:
        """The job's data, as text."""
        return decode(self._arguments)

    @arguments.setter
    def arguments(self, arguments: str | bytes) -> None:
        Job.arguments.fset(self, arguments)  # type: ignore[attr-defined]  # mypy sees no fset

    @property  # type: ignore[override]  # text is what this class is for
    def unique(self) -> str | None:
        """The job's unique, as text; None when it has none."""
        return None if self._unique is None else decode(self._unique)

    @unique.setter
    def unique(self, unique: str | bytes | None) -> None:
        Job.unique.fset(self, unique)  # type: ignore[attr-defined]  # mypy sees no fset

    @property
    def data(self) -> list[str]:  # type: ignore[override]  # text is what this class is for
        """The data that came from the worker as text, a part a packet, in order."""
        return self._data  # type: ignore[return-value]  # a TextList, by data_type

    @property
    def binary_data(self) -> Iterator[bytes]:
        """The parts of the data as bytes, as they came."""
        return (encode(part) for part in self.data)

    @property  # type: ignore[override]  # text is what this class is for
    def exception(self) -> str | None:
        """The data of WORK_EXCEPTION as text; None without one."""
        return None if self._exception is None else decode(self._exception)

    @exception.setter
    def exception(self, exception: str | bytes | None) -> None:
        self._exception = None if exception is None else encode(exception)
