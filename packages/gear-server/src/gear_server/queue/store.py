"""What a store keeps of background jobs, and what it promises."""

from collections.abc import Iterator
from typing import Final, Literal, Protocol, runtime_checkable

import msgspec

from gear_wire.errors import GearmanError

StoredLimits = tuple[int, ...]
"""The limits of ``maxqueue`` for a function, by precedence."""
Sync = Literal["full", "normal"]
"""Whether what is written must survive a loss of power."""
MAX_NUMBER: Final = (1 << 63) - 1


class StoreError(GearmanError):
    """A store did not take a batch: whether anything of it is down is unknown.

    A full disk means no, but a sync that failed means neither yes nor no: the bytes may reach the
    disk all the same. Looking does not help, since the system shows what it has in memory. So what
    the batch added counts as refused, and a later batch must delete it.
    """


class StoreMoved(StoreError):
    """Other servers have taken over what this one had kept in a store that they share.

    The store goes on: what is written from now on is this server's again.

    Attributes:
        down: Whether the batch that was being written is down, and so taken over as well.
    """

    def __init__(self, message: str, *, down: bool) -> None:
        super().__init__(message)
        self.down: bool = down


def number_of(handle: bytes) -> int:
    """Return the number at the end of a job handle, which is the job's key in a store.

    Raises:
        ValueError: There is none.
    """
    digits = handle[handle.rfind(b":") + 1 :]
    number = int(digits) if digits.isdigit() else -1
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"a job handle ends with a colon and a number, not {handle!r}")
    return number


class StoredJob(msgspec.Struct, frozen=True, gc=False):
    """What is kept of a background job.

    Attributes:
        handle: The job handle; it survives restarts, and its number is the job's key.
        function: The function to run.
        unique: The job's unique; None if it has none.
        arguments: The data for it.
        precedence: Its precedence, as a number of `gear_wire.enums.Precedence`.
        due: When it may run, in seconds since 1970; 0 for at once.
        reducer: The function that combines its parts; None if there is none.
        retries: How often it was taken from a worker that was lost or too slow.
    """

    handle: bytes
    function: bytes
    unique: bytes | None
    arguments: bytes
    precedence: int
    due: int = 0
    reducer: bytes | None = None
    retries: int = 0

    @property
    def number(self) -> int:
        """Its key, the number of its handle."""
        return number_of(self.handle)


class Batch(msgspec.Struct):
    """What is written together: all of it, or nothing.

    Attributes:
        ended: The numbers of jobs to delete, before anything is added; those that are not there
            count as deleted.
        added: Jobs to keep; one of the same number is replaced.
        retried: The new count of retries, by number.
        limits: The limits of ``maxqueue`` by function; None for no limit any more.
        reserved: The highest number that may be given to a job from now on; None if unchanged.
    """

    ended: list[int] = []
    added: list[StoredJob] = []
    retried: dict[int, int] = {}
    limits: dict[bytes, StoredLimits | None] = {}
    reserved: int | None = None


class Store(Protocol):
    """Keeps jobs; used by one thread at a time."""

    @property
    def name(self) -> str:
        """What log lines and errors call the store."""

    @property
    def reserved(self) -> int:
        """The highest number that any job may have been given: new ones are above it."""

    def count(self) -> int:
        """Return the number of jobs."""

    def load(self) -> Iterator[StoredJob]:
        """Yield all jobs, in the order of their numbers."""

    def load_limits(self) -> dict[bytes, StoredLimits]:
        """Return the limits of ``maxqueue`` by function."""

    def write(self, batch: Batch) -> None:
        """Write a batch; it is down when this returns.

        Raises:
            StoreError: It may be down or not.
        """

    def close(self) -> None:
        """Close the store; what was written stays."""

    def abandon(self) -> None:
        """Leave the store to the process from which this one was forked."""


@runtime_checkable
class SharedStore(Store, Protocol):
    """A store that several servers use at once, which take over the jobs of those that end.

    Each keeps its jobs in memory and gives them out; nobody else does while it lives.

    Attributes:
        interval: Seconds between calls of `look`.
        patience: Seconds that a batch may take before it fails.
        sure_until: When others may take over the jobs of this server at the earliest, on the
            monotonic clock, unless it is heard of again; read on any thread.
    """

    interval: float
    patience: float
    sure_until: float

    def look(self, *, take_over: bool) -> Iterator[list[StoredJob]]:
        """Show that this server lives, and look for those that do not.

        Args:
            take_over: Whether their jobs are taken over.

        Yields:
            Jobs that were taken over, some at a time; a batch may be written in between.

        Raises:
            StoreMoved: Others thought that this server was dead.
            StoreError: The store cannot be reached.
        """

    def interrupt(self) -> None:
        """Have what the store does fail soon; called on any thread."""
