"""The server's connections as subclasses of `Server` see them, and their text commands."""

import collections
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping, MutableSet

from gear_server.engine.engine import Engine
from gear_server.engine.state import Peer, ServerJob
from gear_server.network.peer import StreamPeer
from gear_wire.escape import quoted
from gear_wire.packet import Packet


class FunctionSet(MutableSet[bytes]):
    """The functions that a connection registered; adding one registers it."""

    def __init__(self, engine: Engine, peer: StreamPeer) -> None:
        self._engine = engine
        self._peer = peer

    def __contains__(self, name: object) -> bool:
        return name in self._peer.abilities

    def __iter__(self) -> Iterator[bytes]:
        return iter(list(self._peer.abilities))

    def __len__(self) -> int:
        return len(self._peer.abilities)

    def add(self, value: bytes) -> None:
        """Register a function."""
        self._engine.register(self._peer, value, time.monotonic())

    def discard(self, value: bytes) -> None:
        """Unregister a function."""
        self._engine.scheduler.unregister(self._peer, value)

    def __repr__(self) -> str:
        return repr(set(self))


def assign(live: MutableSet[bytes], names: Iterable[bytes]) -> None:
    """Make a live set have these names and no others."""
    new = set(names)
    for name in set(live) - new:
        live.discard(name)
    for name in new:
        live.add(name)


class ConnectionSocket:
    """The methods of a socket that programs made for 0.16 use on a server's connection."""

    def __init__(self, connection: "ServerConnection") -> None:
        self._connection = connection

    def fileno(self) -> int:
        """Return the number of the descriptor."""
        return self._connection.descriptor

    def send(self, data: bytes) -> int:
        """Queue bytes for the other side; returns how many: all."""
        self._connection.sendRaw(data)
        return len(data)

    sendall = send

    def shutdown(self, how: int) -> None:
        """Shut one side of the connection, or both, as `socket.socket.shutdown`."""
        with socket.socket(fileno=os.dup(self._connection.descriptor)) as duplicate:
            duplicate.shutdown(how)

    def close(self) -> None:
        """Break the connection."""
        self.shutdown(socket.SHUT_RDWR)


class ServerConnection(StreamPeer):
    """A connection to a `Server`, with the names that 0.16 gave it; programs may add their own.

    Attributes:
        connect_time: When it was made, in seconds since 1970.
        engine: The engine of its server.
    """

    def __init__(
        self,
        host: str,
        port: int,
        descriptor: int,
        subject: str | None,
        engine: Engine,
        schedule: Callable[[], None],
    ) -> None:
        super().__init__(host, port, descriptor, subject)
        self.engine: Engine = engine
        self.connect_time: float = time.time()
        self._schedule = schedule

    @property
    def conn(self) -> ConnectionSocket:
        """Its socket; made anew each time, to avoid a reference cycle."""
        return ConnectionSocket(self)

    @property
    def functions(self) -> FunctionSet:
        """The functions that it registered; a set that may be changed and assigned."""
        return FunctionSet(self.engine, self)

    @functions.setter
    def functions(self, names: Iterable[bytes]) -> None:
        assign(self.functions, names)

    @property
    def related_jobs(self) -> MutableMapping[bytes, ServerJob]:
        """The jobs that it works on, and those that it waits for, by handle."""
        return collections.ChainMap(self.assigned, self.submitted)

    @property
    def ssl_subject(self) -> str | None:
        """The subject of its certificate, such as the common name; None without one."""
        return self.subject

    @property
    def state(self) -> str:
        """SLEEP while it waits for a NOOP, else IDLE."""
        return "SLEEP" if self.sleeping else "IDLE"

    def changeState(self, state: str) -> None:
        """Change its state: SLEEP waits for a NOOP, any other does not."""
        if state == "SLEEP":
            self.engine.scheduler.fall_asleep(self)
        else:
            self.sleeping = False

    def sendRaw(self, data: bytes) -> None:
        """Queue bytes for the other side."""
        self.engine.send(self, data)
        self._schedule()

    def sendPacket(self, packet: Packet) -> None:
        """Queue a packet for the other side."""
        self.sendRaw(packet.toBinary())


class ServerAdminRequest:
    """A text command from a connection.

    Attributes:
        connection: The connection to answer.
        command: The line, without its ending.
    """

    def __init__(self, connection: ServerConnection, line: bytes) -> None:
        self.connection: ServerConnection = connection
        self.command: bytes = line.rstrip(b"\r\n")
        self.line: bytes = line

    def __repr__(self) -> str:
        return f"<gear.ServerAdminRequest 0x{id(self):x} command: {quoted(self.command)}>"


def as_connection(peer: Peer) -> ServerConnection:
    """Return a peer of a `Server`, all of which are of this class, as such."""
    assert isinstance(peer, ServerConnection)
    return peer
