"""A threaded client that greets its servers, and notes the NOOPs that come."""

import queue

from gear_wire.link.threads.client import BaseClient
from gear_wire.link.threads.connection import Connection
from gear_wire.packet import Packet
from gear_wire.packets import BasePacket, SetClientID
from gear_wire.session import Session
from gear_wire.types import ClientID

GREETING = SetClientID(ClientID(b"hello"))


class Greeter(Session):
    """Says who it is, and nothing else."""

    def greet(self) -> None:
        self.queue(GREETING)

    def apply(self, packet: BasePacket) -> object:
        return packet


class GreetingClient(BaseClient):
    """Notes what comes."""

    def __init__(self, heartbeat: float | None = None) -> None:
        self.seen: queue.SimpleQueue[object] = queue.SimpleQueue()
        super().__init__("greeting", heartbeat=heartbeat)

    def _new_session(self, connection: Connection) -> Session:
        return Greeter()

    def handleNoop(self, packet: Packet) -> object:
        self.seen.put("noop")
        return None
