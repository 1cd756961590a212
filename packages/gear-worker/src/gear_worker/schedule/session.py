"""What a scheduler says to one server: jobs for later, and questions about them; pure."""

import collections
from collections.abc import Callable

from gear_wire.errors import DisconnectError, GearmanError, ProtocolError, ServerError
from gear_wire.jobs import BaseJob
from gear_wire.packets import (
    BasePacket,
    Error,
    GetStatusUnique,
    JobCreated,
    SetClientID,
    StatusResUnique,
    SubmitJobEpoch,
)
from gear_wire.session import Session, name_of
from gear_wire.types import ClientID, UniqueKey

Settle = Callable[[bool | GearmanError], None]
"""Told what the server answers, or why it will not."""


class ScheduleSession(Session):
    """The scheduler's end of one connection.

    Args:
        client_id: How to introduce itself.
    """

    def __init__(self, client_id: bytes) -> None:
        super().__init__()
        self._client_id = client_id
        self._handed: collections.deque[Settle] = collections.deque()
        self._asked: collections.deque[tuple[bytes, Settle]] = collections.deque()

    def greet(self) -> None:
        """Introduce the scheduler."""
        self.queue(SetClientID(ClientID(self._client_id)))

    def hand_over(self, job: BaseJob, due: int, settle: Settle) -> None:
        """Give the server a job that it keeps until it is due.

        A job that it has already, by its unique, is not there twice.

        Args:
            job: The function, payload and unique.
            due: When it is due, in seconds since 1970.
            settle: Told when the server has it.
        """
        self._handed.append(settle)
        unique = job.binary_unique or UniqueKey(b"")
        self.queue(SubmitJobEpoch(job.binary_name, unique, b"%d" % due, job.binary_arguments))

    def ask(self, unique: bytes, settle: Settle) -> None:
        """Ask whether a job still waits for a worker."""
        self._asked.append((unique, settle))
        self.queue(GetStatusUnique(UniqueKey(unique)))

    def apply(self, packet: BasePacket) -> None:
        """Apply a packet from the server.

        Raises:
            ProtocolError: It answers nothing that was asked.
        """
        match packet:
            case JobCreated():
                self._oldest(packet)(True)
            case StatusResUnique():
                if not self._asked or self._asked[0][0] != packet.unique:
                    raise ProtocolError("STATUS_RES_UNIQUE that nobody asked for")
                _, settle = self._asked.popleft()
                settle(packet.known == b"1" and packet.running != b"1")
            case Error():
                code, text = (part.decode(errors="replace") for part in (packet.code, packet.text))
                self._oldest(packet)(ServerError(code, text))
            case _:
                self.refuse(packet)

    def _oldest(self, packet: BasePacket) -> Settle:
        if not self._handed:
            raise ProtocolError(f"{name_of(packet)} that answers no job")
        return self._handed.popleft()

    def lost(self, reason: str = "") -> list[BaseJob]:
        """Tell all who await something that the connection is gone."""
        super().lost(reason)
        waiting = [*self._handed, *(settle for _, settle in self._asked)]
        self._handed.clear()
        self._asked.clear()
        for settle in waiting:
            settle(DisconnectError(f"the connection was lost: {reason}"))
        return []
