"""What comes over a threaded connection: packets, and text commands that are answered."""

import logging
import threading

from gear_wire.framing import Frame, FrameReader, TextLine
from gear_wire.link.threads.answers import Answers
from gear_wire.link.threads.requests import AdminRequest
from gear_wire.packet import Packet, PacketConnection

Inbound = Packet | AdminRequest


class InboundReader:
    """Makes packets and answered requests of bytes, in the order in which they came.

    Args:
        connection: Where the packets say that they come from.
        answers: The requests that wait for text.
        log: Where it is told what is not Gearman.

    Attributes:
        broken: Whether what came is not Gearman: nothing more can be read.
    """

    def __init__(self, connection: PacketConnection, answers: Answers, log: logging.Logger) -> None:
        self._connection = connection
        self._answers = answers
        self._log = log
        self._reader = FrameReader(max_line_size=None)
        self.broken: bool = False

    @property
    def awaited(self) -> int:
        """How many bytes the unfinished packet lacks."""
        return self._reader.awaited

    def take(self, data: bytes, lock: threading.RLock) -> list[Inbound]:
        """Take in the bytes of one read.

        Args:
            data: The bytes.
            lock: Guards the requests that wait.
        """
        inbound: list[Inbound] = []
        lines: list[bytes] = []
        for event in self._reader.feed(data):
            if isinstance(event, TextLine):
                lines.append(event.line)
                continue
            self._take_text(lines, inbound, lock)
            if isinstance(event, Frame):
                inbound.append(Packet.from_frame(event, self._connection))
            else:
                self._log.error("%r: %s", self._connection, event.reason)
                self.broken = True
        self._take_text(lines, inbound, lock)
        return inbound

    def _take_text(self, lines: list[bytes], inbound: list[Inbound], lock: threading.RLock) -> None:
        if not lines:
            return
        with lock:
            answered = self._answers.receive_text(b"".join(lines))
        lines.clear()
        for request in answered:
            request.setComplete()
        inbound += answered
