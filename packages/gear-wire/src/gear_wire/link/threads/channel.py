"""A connected socket that never blocks, plain or TLS; who waits for it is in `loop`."""

import collections
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from typing import Final

from gear_wire.errors import ConnectionError, DisconnectError, TimeoutError
from gear_wire.link.address import Keepalive
from gear_wire.link.deadline import Deadline
from gear_wire.link.tls import TLSStream, describe
from gear_wire.timeouts import check_timeout

RECEIVE_SIZE: Final = 65536
"""Bytes of one read; above this, a buffer costs the system calls of a mapping of its own."""
LARGE_RECEIVE_SIZE: Final = 1 << 20
"""Bytes of one read when as many are awaited of one packet."""
LONGEST_WAIT: Final = 86400.0
"""Seconds of one wait; system calls take no more than some weeks."""
HIGH_WATER: Final = 16 << 20
"""Bytes queued for a server above which a thread that sends more waits."""
_JOIN_BELOW: Final = 65536
# Not epoll: a socket that another thread shuts down and closes leaves an epoll set without a word,
# and who waits on it would wait for ever. poll() keeps hold of the socket, and wakes.
WaitSelector: Final[type[selectors.BaseSelector]] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)


class Channel:
    """Bytes out in the order in which they were queued, bytes in as they come.

    `queue` only appends, and its caller holds the state lock; `flush` makes the system calls and
    holds only the send lock. So a full socket never keeps anyone from the state.

    Args:
        sock: A connected socket.
        tls: The TLS stream, when TLS is spoken.
        lock: The state lock of the owner.
    """

    def __init__(self, sock: socket.socket, tls: TLSStream | None, lock: threading.RLock) -> None:
        sock.setblocking(False)
        self.sock: socket.socket = sock
        self._tls = tls
        self._lock = lock
        self._send_lock = threading.Lock()
        self._out: collections.deque[bytes | memoryview] = collections.deque()
        self._queued = 0
        self._sent = 0
        self._room = threading.Condition(threading.Lock())
        self._gone = False

    @property
    def pending(self) -> int:
        """How many bytes are queued and not yet sent."""
        return self._queued - self._sent

    def queue(self, data: bytes) -> None:
        """Append bytes to what will be sent; the caller holds the state lock."""
        if self._tls is not None:
            self._tls.encrypt(data)
            data = self._tls.outgoing()
        self._out.append(data)
        self._queued += len(data)

    def flush(self) -> bool:
        """Send what the socket takes; True when nothing is left. OSError when it is broken.

        A thread that finds another one sending leaves its bytes to that one, which sends those of
        many threads at once, and looks for more before it goes.
        """
        while self._out:
            if not self._send_lock.acquire(blocking=False):
                return True
            try:
                if not self._send():
                    return False
            finally:
                self._send_lock.release()
        return True

    def waitForRoom(self, deadline: Deadline | None = None) -> bool:
        """Wait while more than `HIGH_WATER` bytes are queued, and the connection stands.

        Args:
            deadline: How long; None for no limit.

        Returns:
            False when the time is up.
        """
        if self.pending < HIGH_WATER:
            return True
        left = None if deadline is None else deadline.left()
        with self._room:
            return self._room.wait_for(lambda: self.pending < HIGH_WATER or self._gone, left)

    def _make_room(self, sent: int) -> None:
        full = self.pending >= HIGH_WATER
        self._sent += sent
        if full and self.pending < HIGH_WATER:
            with self._room:
                self._room.notify_all()

    def _send(self) -> bool:
        while self._out:
            chunk = self._next_chunk()
            try:
                sent = self.sock.send(chunk)
            except (BlockingIOError, InterruptedError):
                self._out.appendleft(chunk)
                return False
            self._make_room(sent)
            if sent < len(chunk):
                self._out.appendleft(memoryview(chunk)[sent:])
        return True

    def _next_chunk(self) -> bytes | memoryview:
        chunk = self._out.popleft()
        if not self._out or len(chunk) >= _JOIN_BELOW:
            return chunk
        parts = [chunk]
        size = len(chunk)
        while self._out and size < _JOIN_BELOW:
            chunk = self._out.popleft()
            parts.append(chunk)
            size += len(chunk)
        return b"".join(parts)

    def receive(self, awaited: int = 0) -> bytes | None:
        """Return the bytes that are there; None when there are none now.

        Args:
            awaited: How many bytes are missing of the packet that has begun.

        Raises:
            DisconnectError: The other side closed the connection.
            OSError: The socket is broken.
        """
        try:
            data = self.sock.recv(max(RECEIVE_SIZE, min(awaited, LARGE_RECEIVE_SIZE)))
        except (BlockingIOError, InterruptedError):
            return None
        if not data:
            raise DisconnectError("the server closed the connection")
        if self._tls is None:
            return data
        with self._lock:
            plain = self._tls.decrypt(data)
            answer = self._tls.outgoing()
            if answer:
                self._out.append(answer)
                self._queued += len(answer)
        if self._tls.ended:
            self.interrupt()  # the next read sees the end, even if the socket stays open
        return plain or None

    def wait(self, write: bool, timeout: float | None) -> bool:
        """Wait until the socket can be read (or written); False when it cannot, after a day or so.

        Args:
            write: Whether it is to be written.
            timeout: Seconds to wait; None for no limit.
        """
        if timeout is not None:
            timeout = min(timeout, LONGEST_WAIT)
        with WaitSelector() as selector:
            selector.register(self.sock, selectors.EVENT_WRITE if write else selectors.EVENT_READ)
            return bool(selector.select(timeout))

    def interrupt(self) -> None:
        """Break the connection so that whoever waits on it wakes; closing comes after."""
        with self._room:
            self._gone = True
            self._room.notify_all()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # not connected any more: all that was wanted

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


class Connector:
    """Connects to a server without ever blocking for good.

    Args:
        timeout: Seconds for all of name look-up's addresses, TCP and TLS together, a day at most;
            None for that.
        cancel: A socket that becomes readable when the attempt shall end.
    """

    def __init__(self, timeout: float | None, cancel: socket.socket | None = None) -> None:
        limit = check_timeout(timeout)
        wait = LONGEST_WAIT if limit is None else min(limit, LONGEST_WAIT)
        self._deadline = time.monotonic() + wait
        self._server = ""
        self._cancel = cancel

    def connect(self, host: str, port: int, keepalive: Keepalive) -> socket.socket:
        """Return a connected socket, from the first address of the host that answers.

        Raises:
            ConnectionError: None answers, or the attempt was cancelled.
        """
        self._server = f"{host} port {port}"
        failure: Exception | None = None
        for family, kind, protocol, _, address in _addresses(host, port):
            sock = socket.socket(family, kind, protocol)
            try:
                self._connect(sock, address)
                # 0.16 lost 40 ms a job to Nagle's algorithm.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                keepalive.apply(sock)
            except (OSError, ConnectionError) as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise ConnectionError(f"cannot connect to {self._server}: {failure}") from failure

    def _connect(self, sock: socket.socket, address: object) -> None:
        sock.setblocking(False)
        try:
            sock.connect(address)  # type: ignore[arg-type]  # typeshed's own Any, from getaddrinfo
        except BlockingIOError:
            self._wait(sock, selectors.EVENT_WRITE)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "connect failed")

    def handshake(self, sock: socket.socket, tls: TLSStream) -> None:
        """Do the client's part of a TLS handshake.

        Raises:
            ConnectionError: The other side closed, is too slow, or its certificate is not good.
        """
        import ssl

        data = b""
        try:
            while True:
                done = tls.handshake(data)
                self._send(sock, tls.outgoing())
                if done:
                    return
                self._wait(sock, selectors.EVENT_READ)
                data = sock.recv(RECEIVE_SIZE)
                if not data:
                    raise DisconnectError("the server closed the connection in the TLS handshake")
        except (ssl.SSLError, OSError) as error:
            reason = describe(error)
            raise ConnectionError(f"TLS handshake with {self._server}: {reason}") from error

    def _send(self, sock: socket.socket, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[sock.send(view) :]
            except BlockingIOError:
                self._wait(sock, selectors.EVENT_WRITE)

    def _wait(self, sock: socket.socket, event: int) -> None:
        with WaitSelector() as selector:
            selector.register(sock, event)
            if self._cancel is not None:
                selector.register(self._cancel, selectors.EVENT_READ)
            ready = selector.select(max(0.0, self._deadline - time.monotonic()))
        if not ready:
            raise TimeoutError("no answer in time")
        if any(key.fileobj is self._cancel for key, _ in ready):
            raise ConnectionError("the attempt was cancelled")


Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, object]


def _addresses(host: str, port: int) -> Iterator[Address]:
    try:
        yield from socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectionError(f"cannot look up {host}: {error}") from error
