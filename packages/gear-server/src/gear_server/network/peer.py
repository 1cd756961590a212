"""A peer of the engine that has a transport."""

import asyncio

from gear_server.engine.state import NOWHERE, Peer
from gear_server.network.traffic import Traffic


class StreamPeer(Peer):
    """A peer with the transport of its connection.

    Attributes:
        transport: The transport; None before it is connected and after it is closed.
        congested: Whether the transport holds more than a few bytes.
        traffic: Where what is sent is counted.
    """

    __slots__ = ("congested", "traffic", "transport")

    def __init__(
        self, host: str = "-", port: int = 0, descriptor: int = 0, subject: str | None = None
    ) -> None:
        super().__init__(host, port, descriptor, subject)
        self.transport: asyncio.Transport | None = None
        self.congested: bool = False
        self.traffic: Traffic = Traffic()

    def undelivered(self) -> int:
        """Return the number of bytes waiting to be sent."""
        transport = self.transport
        if transport is None:
            return 0
        held = sum(map(len, self.outbox)) if self.held else 0
        return held + sum(map(len, self.sendable)) + transport.get_write_buffer_size()

    def flush(self) -> int:
        """Hand what is queued to the transport, and close it if that was all.

        Returns:
            The bytes that the transport still holds; 0 for a few.
        """
        transport = self.transport
        outbox = self.sendable
        if outbox is NOWHERE and transport is not None:
            transport.abort()  # even if it is being closed: it would wait for what nobody reads
            return 0
        if transport is None or transport.is_closing():
            outbox.clear()
            return 0
        if outbox:
            if self.bulky:
                self.traffic.sent += sum(map(len, outbox))
                transport.writelines(outbox[:])
                self.bulky = False
            else:
                data = outbox[0] if len(outbox) == 1 else b"".join(outbox)
                self.traffic.sent += len(data)
                transport.write(data)
            outbox.clear()
            if self.sendable is NOWHERE:  # cut off meanwhile, as the transport took too little
                transport.abort()
                return 0
        if self.closing and not self.held:
            transport.close()
        return transport.get_write_buffer_size() if self.congested else 0
