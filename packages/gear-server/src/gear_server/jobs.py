"""The server's view of a job; where it waits is in `queues`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gear_wire.enums import Precedence

if TYPE_CHECKING:
    from gear_server.peers import Peer
    from gear_server.queues import Function, JobQueue


class ServerJob:
    """A job that a server has: an open class, whose own attributes cost little memory.

    Args:
        handle: The job handle.
        function: The function to run.
        unique: The job's unique; None when it has none.
        arguments: The data for it.
        precedence: Its precedence.
        background: Whether it runs even if nobody waits for its end.

    Attributes:
        clients: The connections that wait for its end, once per submission.
        worker_connection: The connection that works on it; None while it is queued.
        running: Whether a worker has it.
        reducer: The function that combines its parts; None when there is none.
        when: When it may run, in seconds since 1970; 0 for at once.
        retries: How often it was given to a worker and came back.
        numerator: How far it has come, as the worker's bytes.
        denominator: Of how much, as the worker's bytes.
        holder: The connection that the engine gave it to.
        queue: Where it is queued; None while it is not.
        order: Its place among all that were ever queued.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "arguments",
        "background",
        "clients",
        "denominator",
        "function",
        "handle",
        "holder",
        "next",
        "numerator",
        "order",
        "precedence",
        "previous",
        "queue",
        "reducer",
        "retries",
        "running",
        "unique",
        "when",
        "worker_connection",
    )

    def __init__(
        self,
        handle: bytes,
        function: Function,
        unique: bytes | None,
        arguments: bytes,
        precedence: Precedence,
        background: bool,
    ) -> None:
        self.handle: bytes = handle
        self.function: Function = function
        self.unique: bytes | None = unique
        self.arguments: bytes = arguments
        self.precedence: Precedence = precedence
        self.background: bool = background
        self.clients: tuple[Peer, ...] = ()
        self.worker_connection: Peer | None = None
        self.running: bool = False
        self.reducer: bytes | None = None
        self.when: int = 0
        self.retries: int = 0
        self.numerator: bytes = b"0"
        self.denominator: bytes = b"0"
        self.holder: Peer | None = None
        self.queue: JobQueue | None = None
        self.order: int = 0
        self.previous: ServerJob | None = None
        self.next: ServerJob | None = None

    @property
    def name(self) -> bytes:
        """The name of the function."""
        return self.function.name

    @property
    def client_connection(self) -> Peer | None:
        """The first connection that waits for its end; None when nobody does."""
        return self.clients[0] if self.clients else None

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
