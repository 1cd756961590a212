"""The server's view of a job; where it waits is in `queues`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from gear_wire.enums import Precedence

if TYPE_CHECKING:
    from gear_server.engine.peers import Peer
    from gear_server.engine.queues import Function, JobQueue


class _Nobody(dict["Peer", int]):
    """What all jobs share that nobody waits for: it costs them no memory, and takes no entries."""

    def _refuse(self, *args: object, **more: object) -> NoReturn:
        raise TypeError("these are all jobs' clients: give the job a dict of its own")

    __setitem__ = setdefault = update = __ior__ = _refuse


_NOBODY: Final[dict[Peer, int]] = _Nobody()


class ServerJob(msgspec.Struct, eq=False, dict=True, weakref=True):
    """A job that a server has: an open class, whose own attributes cost little time and memory.

    Attributes:
        handle: The job handle.
        function: The function to run.
        unique: The job's unique; None when it has none.
        arguments: The data for it.
        precedence: Its precedence.
        background: Whether it runs even if nobody waits for its end.
        clients: The connections that wait for its end, with how many submissions of each do.
        reducer: The function that combines its parts; None when there is none.
        when: When it may run, in seconds since 1970; 0 for at once.
        retries: How often it was given to a worker and came back.
        numerator: How far it has come, as the worker's bytes.
        denominator: Of how much, as the worker's bytes.
        holder: The connection that works on it; None while none does.
        queue: Where it is queued; None while it is not.
        requeued: The newest job's number when it was last queued again; 0 when it never was.
        previous: The job before it in its queue.
        next: The job after it in its queue.
        elder: The next newest job with the same unique, of another function.
    """

    handle: bytes
    function: Function
    unique: bytes | None
    arguments: bytes
    precedence: Precedence
    background: bool
    clients: dict[Peer, int] = _NOBODY
    reducer: bytes | None = None
    when: int = 0
    retries: int = 0
    numerator: bytes = b"0"
    denominator: bytes = b"0"
    holder: Peer | None = None
    queue: JobQueue | None = None
    requeued: int = 0
    previous: ServerJob | None = None
    next: ServerJob | None = None
    elder: ServerJob | None = None

    @property
    def name(self) -> bytes:
        """The name of the function."""
        return self.function.name

    @property
    def number(self) -> int:
        """The last part of the handle: jobs are numbered in the order of their coming."""
        return int(self.handle.rpartition(b":")[2])

    @property
    def client_connection(self) -> Peer | None:
        """The first connection that waits for its end; None when nobody does."""
        return next(iter(self.clients), None)

    @property
    def worker_connection(self) -> Peer | None:
        """The connection that works on it; assigning it, as servers made of 0.16's did, is void."""
        return self.holder

    @worker_connection.setter
    def worker_connection(self, connection: Peer | None) -> None:
        """Do nothing: the server knows who works on a job."""

    @property
    def running(self) -> bool:
        """Whether a worker has it; assigning it, as servers made of 0.16's did, is void."""
        return self.holder is not None

    @running.setter
    def running(self, running: bool) -> None:
        """Do nothing: the server knows which jobs run."""

    binary_name = name

    @property
    def binary_arguments(self) -> bytes:
        """The data, as it was sent."""
        return self.arguments

    @property
    def binary_unique(self) -> bytes | None:
        """The unique, as it was sent."""
        return self.unique

    @property
    def wanted(self) -> bool:
        """Whether anyone cares for its end: a client, or that it be done at all."""
        return self.background or bool(self.clients)

    def __repr__(self) -> str:
        return (
            f"<gear.ServerJob 0x{id(self):x} handle: {self.handle!r} name: {self.name!r} "
            f"unique: {self.unique!r}>"
        )
