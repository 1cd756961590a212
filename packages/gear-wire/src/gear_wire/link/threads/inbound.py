"""What comes over a threaded connection: packets, and text commands that are answered."""

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

    Attributes:
        broken: What came that is not Gearman, or that nobody asked for: nothing more is read.
    """

    def __init__(self, connection: PacketConnection, answers: Answers) -> None:
        self._connection = connection
        self._answers = answers
        self._reader = FrameReader(max_line_size=answers.max_size, from_server=True)
        self.broken: str = ""

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
            if self.broken:
                return inbound
            if isinstance(event, Frame):
                inbound.append(Packet.from_frame(event, self._connection))
            else:
                self.broken = event.reason
        self._take_text(lines, inbound, lock)
        if self._reader.in_line and not self.broken:
            with lock:
                self.broken = self._answers.check()
        return inbound

    def _take_text(self, lines: list[bytes], inbound: list[Inbound], lock: threading.RLock) -> None:
        if not lines:
            return
        with lock:
            answered = self._answers.receive_text(b"".join(lines))
            self.broken = self._answers.wrong
        lines.clear()
        for request in answered:
            request.setComplete()
        inbound += answered
