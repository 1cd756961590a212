"""Clients that submit background jobs as fast as they are answered, until their server is gone."""

import itertools
import socket
import threading

from gear_wire.codec import decode, encode
from gear_wire.framing import Frame, FrameReader
from gear_wire.packets import (
    BasePacket,
    CanDo,
    Error,
    GrabJob,
    JobAssign,
    JobCreated,
    NoJob,
    Noop,
    PreSleep,
    SubmitJobBg,
    WorkComplete,
)
from gear_wire.types import FunctionName, UniqueKey
from support.geard_program import TIMEOUT

NAME = FunctionName(b"f")
_numbers = itertools.count()


class _Peer:
    """A connection with a thread that reads it until it breaks."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._reader = FrameReader()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        try:
            self.start()
            while data := self.socket.recv(65536):
                for event in self._reader.feed(data):
                    assert isinstance(event, Frame)
                    self.receive(decode(event))
        except OSError:
            pass  # the server was killed

    def start(self) -> None:
        raise NotImplementedError

    def receive(self, packet: BasePacket) -> None:
        raise NotImplementedError

    def send(self, *packets: BasePacket) -> None:
        self.socket.sendall(b"".join(map(encode, packets)))

    def join(self) -> None:
        """Wait until the server is gone."""
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()
        self.socket.close()


class Submitter(_Peer):
    """A client that keeps a number of submissions in flight.

    Attributes:
        told: What it was told is kept: the data of each job by its handle.
        refused: How many submissions were refused.
    """

    def __init__(self, sock: socket.socket, depth: int, data: bytes = b"") -> None:
        super().__init__(sock)
        self.told: dict[bytes, bytes] = {}
        self.refused = 0
        self._depth = depth
        self._data = data
        self._waiting: list[bytes] = []

    def _submit(self) -> SubmitJobBg:
        unique = b"%d" % next(_numbers)
        self._waiting.append(unique)
        return SubmitJobBg(NAME, UniqueKey(unique), unique + self._data)

    def start(self) -> None:
        self.send(*[self._submit() for _ in range(self._depth)])

    def receive(self, packet: BasePacket) -> None:
        unique = self._waiting.pop(0)
        if isinstance(packet, JobCreated):
            self.told[packet.handle] = unique + self._data
        else:
            assert isinstance(packet, Error)
            self.refused += 1
        self.send(self._submit())


class Doer(_Peer):
    """A worker that does jobs.

    Attributes:
        done: The data of the jobs whose end it has sent, by handle.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.done: dict[bytes, bytes] = {}

    def start(self) -> None:
        self.send(CanDo(NAME), GrabJob())

    def receive(self, packet: BasePacket) -> None:
        if isinstance(packet, JobAssign):
            self.done[packet.handle] = packet.payload
            self.send(WorkComplete(packet.handle, b""), GrabJob())
        elif isinstance(packet, NoJob):
            self.send(PreSleep())
        else:
            assert isinstance(packet, Noop)
            self.send(GrabJob())
