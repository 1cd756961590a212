"""A server of literal bytes for tests of the link: it answers what it is told to."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

from gear_wire.codec import decode, encode
from gear_wire.enums import Magic
from gear_wire.framing import Frame, FrameReader, TextLine
from gear_wire.packets import BasePacket, EchoReq, EchoRes

Answer = Callable[["Peer", object], None]


class Peer:
    """The server's side of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def send(self, packet: BasePacket) -> None:
        self.sock.sendall(encode(packet, Magic.RES))


def echo(peer: Peer, message: object) -> None:
    """Answer echoes and the commands `version` and `status`."""
    if isinstance(message, EchoReq):
        peer.send(EchoRes(message.payload))
    if message == b"version\n":
        peer.sock.sendall(b"OK 9.9\n")
    if message == b"status\n":
        peer.sock.sendall(b"reverse\t0\t0\t1\n.\n")


class ScriptedServer:
    """Accepts connections in one thread each and gives every message to `answer`."""

    def __init__(self, answer: Answer = echo, context: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.messages: list[object] = []
        self.peers: list[Peer] = []
        self.heard = threading.Condition()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            peer = Peer(sock)
            with self.heard:
                self.peers.append(peer)
                self.heard.notify_all()
            reader = FrameReader()
            while data := sock.recv(65536):
                for event in reader.feed(data):
                    self._hear(peer, event)
        except OSError:
            pass
        finally:
            sock.close()

    def _hear(self, peer: Peer, event: object) -> None:
        message: object = event
        if isinstance(event, Frame):
            message = decode(event)
        elif isinstance(event, TextLine):
            message = event.line
        self._answer(peer, message)
        with self.heard:
            self.messages.append(message)
            self.heard.notify_all()

    def wait_for(self, condition: Callable[[], object]) -> None:
        with self.heard:
            assert self.heard.wait_for(condition, 10)

    def drop(self) -> None:
        """Cut all connections."""
        with self.heard:
            peers = self.peers[:]
            self.peers.clear()
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        self.drop()
        for thread in self._threads[1:]:
            thread.join()


@contextlib.contextmanager
def scripted_server(
    answer: Answer = echo, context: ssl.SSLContext | None = None
) -> Iterator[ScriptedServer]:
    server = ScriptedServer(answer, context)
    try:
        yield server
    finally:
        server.close()
