"""Dispatches what a client's connections receive to its handlers."""

import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from gear_wire.errors import GearmanError, ProtocolError
from gear_wire.handlers import HANDLERS, PacketHandlers
from gear_wire.jobs import BaseJob
from gear_wire.link.complaints import Complaints
from gear_wire.link.threads.connection import Connection
from gear_wire.link.threads.inbound import Inbound
from gear_wire.link.threads.loop import READ, WRITE
from gear_wire.link.threads.requests import AdminRequest
from gear_wire.packet import Packet
from gear_wire.session import Session

_HOOKS: Final = HANDLERS | {"handleAdminRequest", "reportTimingStats"}


class Receiver(PacketHandlers):
    """Reads connections, and calls the handlers for what comes, one at a time.

    Attributes:
        running: Whether it shall go on.
    """

    _kind: str = "Client"
    running: bool

    def __init__(self) -> None:
        self._timed = type(self).reportTimingStats is not Receiver.reportTimingStats
        self._plain = not type(self)._overridden()
        self._complaints = Complaints()

    def _apply(self, packet: Packet) -> object:
        """Do what a packet says: what the handlers do unless they are overridden."""
        raise NotImplementedError

    def _lostConnection(self, connection: Connection, reason: str = "it broke") -> None:
        """Give a connection up and make it anew; from any thread, once per loss."""
        raise NotImplementedError

    def _heard_from(self, connection: Connection) -> None:
        """Record that a server sent something."""
        raise NotImplementedError

    # Receiving, on the poll thread or on one that waits

    @classmethod
    def _overridden(cls) -> bool:
        """Tell whether a handler is overridden outside the library; its classes have a `_kind`."""
        library = next(known for known in cls.__mro__ if "_kind" in vars(known))
        return any(getattr(cls, name) is not getattr(library, name) for name in _HOOKS)

    def _spin(
        self, connection: Connection, done: Callable[[], bool], alone: Callable[[], bool]
    ) -> None:
        """Poll for an answer for a moment before sleeping; without the state lock.

        If a handler is overridden, only the poll thread reads: that is where handlers run.
        """
        if self._plain and _HOOKS.isdisjoint(self.__dict__):
            connection.spin(done, alone)

    def _poll(self, connection: Connection, sock: socket.socket, events: int) -> None:
        if connection.conn is not sock:
            return
        try:
            if events & WRITE:
                connection.writable()
            inbound: Sequence[Inbound] = connection.receive() if events & READ else ()
        except (GearmanError, OSError) as error:
            self._lostConnection(connection, str(error))
            return
        if inbound:
            self._heard_from(connection)
        session = connection.session
        try:
            for item in inbound:
                if connection.session is not session:
                    return  # it was made anew while a handler ran: this answers nothing there
                self._handle(item)
        except ProtocolError as error:
            self._lostConnection(connection, str(connection.distrust(str(error))))

    def _handle(self, item: Inbound) -> None:
        try:
            if not isinstance(item, Packet):
                self.handleAdminRequest(item)
                return
            self.log.debug("Received packet: %s", item)
            if not self._timed:
                self.handlePacket(item)
                return
            start = time.monotonic()
            self.handlePacket(item)
            self.reportTimingStats(item.ptype, time.monotonic() - start)
        except ProtocolError:
            raise
        except BaseException as error:
            # Not even sys.exit() ends the poll thread: everything else would hang without a word.
            self._complaints.note_exception(self.log, error, item)

    def _defaultPacketHandler(self, packet: Packet) -> object:
        session = getattr(packet.connection, "session", None)
        if isinstance(session, Session):
            session.refuse(packet.decoded)
        return super()._defaultPacketHandler(packet)

    def _unknown_packet(self, packet: Packet) -> None:
        session = getattr(packet.connection, "session", None)
        if isinstance(session, Session):
            session.refuse(f"a packet of unknown type {packet.ptype}")
        super()._unknown_packet(packet)

    # Handlers

    def handleDisconnect(self, job: BaseJob) -> BaseJob | None:
        """Handle the loss of the connection over which a job runs; called once per job.

        Override it to react; this does nothing.

        Returns:
            The job.
        """
        return job

    def handleAdminRequest(self, request: AdminRequest) -> None:
        """Handle an administrative request that was answered; whoever waits is awake already."""
        self.log.debug("Received admin data %s", request)

    def handleEchoRes(self, packet: Packet) -> object:
        """Handle ECHO_RES: wakes whoever waits for it."""
        connection = packet.connection
        if isinstance(connection, Connection):
            connection.handleEchoRes(packet.data)
        return None

    def handleError(self, packet: Packet) -> object:
        """Handle ERROR: it is logged, and ends the request that it answers."""
        self._log_error(packet)
        return self._apply(packet)

    def _log_error(self, packet: Packet) -> None:
        parts = packet.data.rstrip(b"\0").split(b"\0", 1)
        self._complaints.note_error(self.log, packet.connection, parts)

    def reportTimingStats(self, ptype: int, duration: float) -> None:
        """Record how long handling a packet took. Override it; this does nothing.

        Args:
            ptype: The packet's number.
            duration: Seconds.
        """
