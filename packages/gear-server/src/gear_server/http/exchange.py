"""One HTTP request as a client of the engine, which knows it as a connection like any other.

A peer has a transport that takes the bytes of its outbox. Here they stay in the process, and
whoever answers the request reads the packets that they are. So limits, rights, the durable queue,
uniques and requeues are those of all clients, and the engine has no second way in.
"""

import asyncio
import collections
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from gear_server.http.connection import HttpConnection
from gear_server.http.context import CONTEXT
from gear_server.network.peer import StreamPeer
from gear_wire.enums import Magic, PacketType
from gear_wire.framing import HEADER, HEADER_SIZE, Frame, FrameReader
from gear_wire.table import frame_key

CLIENT_ID: Final = b"http"
"""How the text command ``workers`` lists them."""
_LARGEST: Final = 0xFFFFFFFF
"""What the engine sends was accepted before, or is its own."""


class Exchange(asyncio.Transport):
    """The transport of a peer that is one HTTP request; a context manager, which leaves at its end.

    What the engine queues for the peer counts as unsent until it is released: so whoever reads an
    answer too slowly, or not at all, is cut off as every other client is.

    Args:
        request: The request.
        exceptions: Whether it is told of a job's exception, rather than that the job has failed.

    Attributes:
        peer: The connection, as the engine knows it.
        untaken: How many bytes of the request's body have come and are not submitted yet.
    """

    def __init__(self, request: web.Request, *, exceptions: bool) -> None:
        super().__init__()
        if request.transport is None:
            raise ConnectionResetError("the client has left")
        assert isinstance(request.protocol, HttpConnection)
        self._network = request.app[CONTEXT].network
        self._exchanges = request.app[EXCHANGES]
        self._loop = asyncio.get_running_loop()
        self._http = request.transport
        self._frames: collections.deque[Frame] = collections.deque()
        self._reader = FrameReader(_LARGEST, from_server=True)
        self._header = b""
        self._unread = 0
        self._few = 0
        self._waiter: asyncio.Future[None] | None = None
        self._closing = False
        self._lost = False
        self.untaken: int = 0
        self.peer: StreamPeer = self._network.connected(self, request.protocol.admission)
        self.peer.client_id = CLIENT_ID
        self.peer.exceptions = exceptions or self.peer.exceptions
        self._exchanges.add(self)

    # For what answers the request

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave: a job that nobody else waits for is abandoned."""
        self._lose()

    def note_untaken(self, size: int) -> None:
        """Note how many bytes of the body have come; of all, the one with the most may have to go.

        Args:
            size: The bytes.
        """
        self.untaken = size
        if not self._lost:
            self._network.evictions.note_untaken(self)

    def send(self, number: PacketType, body: bytes) -> None:
        """Send a packet to the engine.

        Args:
            number: Which one.
            body: Its arguments, separated by NULs.
        """
        if not self._closing:
            self._network.receive(self.peer, [Frame(frame_key(Magic.REQ, number), body)])

    async def read(self) -> Frame | None:
        """Return the next packet of the engine's; None if there will be no more."""
        while not self._frames and not self._lost:
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._frames.popleft() if self._frames else None

    def release(self, frame: Frame) -> None:
        """Count a packet as sent."""
        self._unread -= HEADER_SIZE + len(frame.body)
        if self.peer.congested and self._unread <= self._few and not self._lost:
            self.peer.congested = False
            self._network.resumed(self.peer)

    def _lose(self) -> None:
        if self._lost:
            return
        self._closing = self._lost = True
        self._exchanges.discard(self)
        self._network.evictions.forget(self)
        self._network.lost(self.peer)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # For the server, which calls them as those of a socket's transport

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return what the transport of the HTTP connection has, such as its certificate."""
        return self._http.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set from how many bytes on it is congested."""
        self._few = high or 0

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are not released."""
        return self._unread

    def is_closing(self) -> bool:
        """Return whether it takes nothing more."""
        return self._closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes of the outbox."""
        self.writelines([bytes(data)])

    def writelines(self, parts: Iterable[bytes | bytearray | memoryview]) -> None:
        """Take the parts of the outbox."""
        for part in parts:
            self._unread += len(part)
            self._take(bytes(part))
        if self._unread > self._few and not self.peer.congested:
            self.peer.congested = True
            self._network.congested(self.peer)
        self._wake()

    def _take(self, part: bytes) -> None:
        """Take one part; the data of a large packet is a part of its own, and stays as it is."""
        header, self._header = self._header, b""
        if header:
            key, size = HEADER.unpack(header)
            if size == len(part):
                self._frames.append(Frame(key, part))
                return
            part = header + part
        elif len(part) == HEADER_SIZE and any(part[8:]) and not self._reader.held:
            self._header = part
            return
        self._frames += [each for each in self._reader.feed(part) if isinstance(each, Frame)]

    def close(self) -> None:
        """End it, when what it has taken has been read."""
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._lose)

    def abort(self) -> None:
        """End it, and the HTTP connection: its client does not read what it is sent."""
        self._frames.clear()
        self._http.abort()
        self.close()


EXCHANGES: Final[web.AppKey[set[Exchange]]] = web.AppKey("exchanges", set[Exchange])


async def _end_all(app: web.Application) -> None:
    exchanges = app[EXCHANGES]
    for exchange in list(exchanges):
        exchange.close()


def prepare(app: web.Application) -> None:
    """Make an application one whose requests can be exchanges, which end when it shuts down."""
    app[EXCHANGES] = set()
    app.on_shutdown.append(_end_all)
