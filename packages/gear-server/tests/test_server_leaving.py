"""Connections that the other side has closed, over real sockets."""

import asyncio
import socket
import threading

from gear_server.engine.commands import text_rules
from gear_server.engine.engine import Engine
from gear_server.engine.rules import packet_rules
from gear_server.engine.state import Peer
from gear_server.network.peer import StreamPeer
from gear_server.network.server import AsyncServer
from gear_server.settings import ServerSettings
from gear_wire.codec import encode
from gear_wire.framing import FrameReader
from gear_wire.packets import CanDo, GrabJob, SubmitJobBg
from gear_wire.types import FunctionName, UniqueKey

NAME = FunctionName(b"f")


class Owner:
    """Makes plain peers, and keeps them."""

    def __init__(self) -> None:
        self.peers: list[StreamPeer] = []

    def make_peer(self, host: str, port: int, descriptor: int, subject: str | None) -> StreamPeer:
        self.peers.append(StreamPeer(host, port, descriptor, subject))
        return self.peers[-1]

    def on_lost(self, peer: StreamPeer) -> None: ...

    def on_turn(self) -> None: ...

    def on_batch(self, seconds: float) -> None: ...

    def on_failure(self, error: BaseException) -> None:
        raise error

    def dropped_lines(self) -> int:
        return 0


def test_a_worker_that_has_closed_its_side_gets_no_job() -> None:
    """The end of its stream is read, and the turn in which jobs are given out is still to come."""

    async def converse() -> tuple[int, int]:
        owner = Owner()
        engine = Engine(ServerSettings(), packet_rules(), text_rules(), wall_clock=lambda: 0.0)
        server = AsyncServer(engine, ServerSettings(), threading.RLock(), owner)
        listener = socket.create_server(("127.0.0.1", 0))
        await server.start([listener])
        loop = asyncio.get_running_loop()
        _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
        writer.write(encode(CanDo(NAME)))
        while not engine.queues.functions:
            await asyncio.sleep(0)
        (peer,) = owner.peers
        assert peer.transport is not None
        stream = peer.transport.get_protocol()
        assert isinstance(stream, asyncio.Protocol)
        # One turn of the loop: the worker asks and closes, and a client submits.
        stream.data_received(encode(GrabJob()))
        stream.eof_received()
        submit(engine, owner, loop)
        for _ in range(10):
            await asyncio.sleep(0)  # turns of the loop, in which a job would be given out
        assigned = len(peer.assigned)
        writer.close()
        await server.close()
        return assigned, engine.queues.waiting

    def submit(engine: Engine, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        client = Peer()
        engine.add(client)
        data = encode(SubmitJobBg(NAME, UniqueKey(b""), b"x"))
        engine.receive(client, FrameReader().feed(data), loop.time())

    assert asyncio.run(converse()) == (0, 1)
