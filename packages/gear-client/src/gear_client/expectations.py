"""What a client awaits from a server; who answers them in which order is in `session`."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from gear_client.jobs import Job
from gear_wire.packets import BasePacket

Settled = Callable[[], None]


class Expectation:
    """An answer that is awaited.

    Args:
        on_settled: Called once, when the answer is there or will never come.

    Attributes:
        on_settled: As given; may be set later.
        settled: Whether that is so.
        lost: Whether the connection was lost before the answer came.
        error: What the server refused it with.
    """

    def __init__(self, on_settled: Settled | None = None) -> None:
        self.on_settled: Settled | None = on_settled
        self.settled: bool = False
        self.lost: bool = False
        self.error: Exception | None = None

    def settle(self, error: Exception | None = None, lost: bool = False) -> None:
        """Note the end of it and tell who waits; only the first time counts."""
        if self.settled:
            return
        self.settled, self.error, self.lost = True, error, lost
        if self.on_settled is not None:
            self.on_settled()


class Submission(Expectation):
    """A job that was submitted and has no handle yet.

    Args:
        job: The job.
        packet: What submits it.
        foreground: Whether its data and end come over the connection.
        life: The life of the job that begins with it.
        on_settled: As for every expectation.
    """

    def __init__(
        self,
        job: Job,
        packet: BasePacket,
        foreground: bool,
        life: int = 0,
        on_settled: Settled | None = None,
    ) -> None:
        super().__init__(on_settled)
        self.job: Job = job
        self.packet: BasePacket = packet
        self.foreground: bool = foreground
        self.life: int = life


class OwnSubmission(Expectation):
    """A job that the program submitted past the client: its handle is the program's business."""


class OptionRequest(Expectation):
    """An option that was asked for and is not confirmed yet."""

    def __init__(self, option: bytes, on_settled: Settled | None = None) -> None:
        super().__init__(on_settled)
        self.option: bytes = option
        self.confirmed: bool = False


class JobState(msgspec.Struct, frozen=True):
    """What a server says of a job.

    Attributes:
        known: Whether it knows the job.
        running: Whether a worker has it.
        numerator: How far the job has come.
        denominator: Of how much.
        clients: How many clients wait for it; None when the server was asked by handle.
    """

    known: bool
    running: bool
    numerator: int
    denominator: int
    clients: int | None = None

    @property
    def fraction_complete(self) -> float | None:
        """The quotient of numerator and denominator; None when there is none."""
        return self.numerator / self.denominator if self.denominator else None


class StatusRequest(Expectation):
    """A question for the state of a job.

    Args:
        key: The handle, or the unique, that was asked for.
        job: The job to update when the answer comes.
        on_settled: As for every expectation.
    """

    def __init__(
        self, key: bytes, job: Job | None = None, on_settled: Settled | None = None
    ) -> None:
        super().__init__(on_settled)
        self.key: bytes = key
        self.job: Job | None = job
        self.state: JobState | None = None


class OwnStatusRequest(StatusRequest):
    """A question that the program asked past the client; the answer is for the program alone."""


class EchoRequest(Expectation):
    """An ECHO_REQ; its answer is its data."""

    def __init__(self, data: bytes, on_settled: Settled | None = None) -> None:
        super().__init__(on_settled)
        self.data: bytes = data


Request = TypeVar("Request", bound=Expectation)


class ByKey(Generic[Request]):
    """Expectations that are answered by a key instead of by order; several may share one."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, list[Request]] = {}

    def add(self, key: bytes, request: Request) -> None:
        """Await an answer for a key."""
        self._waiting.setdefault(key, []).append(request)

    def pop(self, key: bytes) -> Request | None:
        """Return the oldest that awaits this key."""
        waiting = self._waiting.get(key)
        if not waiting:
            return None
        oldest = waiting.pop(0)
        if not waiting:
            del self._waiting[key]
        return oldest

    def discard(self, key: bytes, request: Request) -> None:
        """Await an answer for a key no longer; nothing if it is not awaited."""
        waiting = self._waiting.get(key, [])
        if request in waiting:
            waiting.remove(request)
            if not waiting:
                del self._waiting[key]

    def pop_all(self) -> list[Request]:
        """Return all, and forget them."""
        waiting = [request for requests in self._waiting.values() for request in requests]
        self._waiting.clear()
        return waiting
