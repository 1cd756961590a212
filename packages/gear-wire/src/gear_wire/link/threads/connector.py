"""Connects a socket without ever blocking for good: addresses race, then TLS shakes hands."""

import collections
import selectors
import socket
from typing import TYPE_CHECKING, NamedTuple

from gear_wire.errors import ConnectionError, DisconnectError
from gear_wire.link.address import ServerAddress
from gear_wire.link.candidates import STAGGER, Candidate, all_failed, in_order
from gear_wire.link.deadline import Deadline
from gear_wire.link.heartbeat import PROBE, SILENCE
from gear_wire.link.threads.channel import LONGEST_WAIT, RECEIVE_SIZE, WaitSelector
from gear_wire.link.tls import NOT_ACCEPTED, TLSStream, describe

if TYPE_CHECKING:
    import ssl


class Connected(NamedTuple):
    """A connection that was made.

    Attributes:
        sock: Its socket.
        tls: Its TLS stream; None for plaintext.
        first: What the server said already.
    """

    sock: socket.socket
    tls: TLSStream | None
    first: bytes


class Connector:
    """Makes one connection.

    Args:
        server: Where to, and how to talk to it.
        context: For TLS; None for plaintext.
        deadline: For all of the look-up, the addresses, TCP and TLS together, a day at most.
        cancel: A socket that becomes readable when the attempt shall end.
    """

    def __init__(
        self,
        server: ServerAddress,
        context: "ssl.SSLContext | None",
        deadline: Deadline,
        cancel: socket.socket | None = None,
    ) -> None:
        self._server = server
        self._context = context
        self._deadline = Deadline.sooner(LONGEST_WAIT, deadline)
        self._cancel = cancel

    def connect(self) -> Connected:
        """Return a connection, over the first address of the host that answers.

        With TLS 1.3 a client learns only after its handshake whether the server accepts its
        certificate. So there a connection counts once something came after that: most servers send
        session tickets, and those that do not answer an ECHO_REQ.

        Raises:
            ConnectionError: None answers, TLS fails, or the attempt was cancelled; its text is the
                reason alone.
        """
        sock = self._race()
        try:
            if self._context is None:
                return Connected(sock, None, b"")
            tls = TLSStream(self._context, self._server.host)
            try:
                self._shake_hands(sock, tls)
                first = self._first_words(sock, tls) if tls.may_refuse else b""
            except OSError as error:  # those of ssl too
                raise ConnectionError(f"TLS handshake: {describe(error)}") from error
            return Connected(sock, tls, first)
        except BaseException:
            sock.close()
            raise

    # TCP

    def _race(self) -> socket.socket:
        waiting = collections.deque(self._look_up())
        errors: list[Exception] = []
        with WaitSelector() as attempts:
            try:
                if self._cancel is not None:
                    attempts.register(self._cancel, selectors.EVENT_READ)
                while waiting or _sockets(attempts):
                    if waiting:
                        self._begin(waiting.popleft(), attempts, errors)
                    sock = self._wait_for_one(attempts, errors, bool(waiting))
                    if sock is not None:
                        attempts.unregister(sock)
                        return sock
            finally:
                for sock in _sockets(attempts):
                    sock.close()
        raise all_failed(errors)

    def _look_up(self) -> list[Candidate]:
        server = self._server
        try:
            return in_order(socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            raise ConnectionError(f"cannot look up the host: {describe(error)}") from error

    def _begin(
        self, candidate: Candidate, attempts: selectors.BaseSelector, errors: list[Exception]
    ) -> None:
        try:
            sock = candidate.socket()
        except OSError as error:
            errors.append(error)
            return
        try:
            self._server.set_options(sock)
            sock.connect(candidate.where)
        except BlockingIOError:
            pass
        except OSError as error:
            sock.close()
            errors.append(error)
            return
        attempts.register(sock, selectors.EVENT_WRITE)

    def _wait_for_one(
        self, attempts: selectors.BaseSelector, errors: list[Exception], more: bool
    ) -> socket.socket | None:
        """Return a socket that is connected, within `STAGGER` if there are more addresses."""
        if not _sockets(attempts):
            return None
        pause = Deadline.sooner(STAGGER, self._deadline) if more else self._deadline
        ready = attempts.select(pause.left())
        if any(key.fileobj is self._cancel for key, _ in ready):
            raise ConnectionError("the attempt was cancelled")
        if self._deadline.expired() and not ready:
            raise ConnectionError("; ".join(["no answer in time", *map(describe, errors)]))
        for key, _ in ready:
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                return sock
            attempts.unregister(sock)
            sock.close()
            errors.append(OSError(code, "connect failed"))
        return None

    # TLS

    def _shake_hands(self, sock: socket.socket, tls: TLSStream) -> None:
        data = b""
        while True:
            done = tls.handshake(data)
            self._send(sock, tls.outgoing())
            if done:
                return
            data = self._receive(sock, self._deadline)

    def _first_words(self, sock: socket.socket, tls: TLSStream) -> bytes:
        try:
            try:
                data = self._receive(sock, Deadline.sooner(SILENCE, self._deadline))
            except TimeoutError:
                tls.encrypt(PROBE)
                self._send(sock, tls.outgoing())
                data = self._receive(sock, self._deadline)
        except DisconnectError as error:
            raise DisconnectError(NOT_ACCEPTED) from error
        return tls.decrypt(data)

    def _receive(self, sock: socket.socket, deadline: Deadline) -> bytes:
        self._wait(sock, selectors.EVENT_READ, deadline)
        data = sock.recv(RECEIVE_SIZE)
        if not data:
            raise DisconnectError("the server closed the connection in the TLS handshake")
        return data

    def _send(self, sock: socket.socket, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[sock.send(view) :]
            except BlockingIOError:
                self._wait(sock, selectors.EVENT_WRITE, self._deadline)

    def _wait(self, sock: socket.socket, event: int, deadline: Deadline) -> None:
        with WaitSelector() as selector:
            selector.register(sock, event)
            if self._cancel is not None:
                selector.register(self._cancel, selectors.EVENT_READ)
            ready = selector.select(deadline.left())
        if not ready:
            raise TimeoutError("no answer in time")
        if any(key.fileobj is self._cancel for key, _ in ready):
            raise ConnectionError("the attempt was cancelled")


def _sockets(attempts: selectors.BaseSelector) -> list[socket.socket]:
    return [
        key.fileobj
        for key in attempts.get_map().values()
        if key.events & selectors.EVENT_WRITE and isinstance(key.fileobj, socket.socket)
    ]
