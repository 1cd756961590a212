"""A connected socket that never blocks, plain or TLS; who waits for it is in `loop`."""

import collections
import selectors
import socket
import threading
import time
from typing import Final

from gear_wire.errors import DisconnectError
from gear_wire.link.deadline import Deadline
from gear_wire.link.sendqueue import unacknowledged
from gear_wire.link.tls import TLSStream

RECEIVE_SIZE: Final = 65536
"""Bytes of one read; above this, a buffer costs the system calls of a mapping of its own."""
LARGE_RECEIVE_SIZE: Final = 1 << 20
"""Bytes of one read when as many are awaited of one packet."""
LONGEST_WAIT: Final = 86400.0
"""Seconds of one wait; system calls take no more than some weeks."""
HIGH_WATER: Final = 16 << 20
"""Bytes queued for a server above which a thread that sends more waits."""
ACKNOWLEDGED_CHECK: Final = 0.005
"""Seconds between two looks at what the other side has acknowledged: no event tells of it."""
_JOIN_BELOW: Final = 65536
# Not epoll: a socket that another thread shuts down and closes leaves an epoll set silently, and
# whoever waits on it would wait for ever. poll() keeps hold of the socket, and wakes.
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
        first: What the server said already, when connecting waited for it.

    Attributes:
        sock: As given.
        received: When something came last, on the monotonic clock.
    """

    def __init__(
        self,
        sock: socket.socket,
        tls: TLSStream | None,
        lock: threading.RLock,
        first: bytes = b"",
    ) -> None:
        sock.setblocking(False)
        self.sock: socket.socket = sock
        self.received: float = time.monotonic()
        self._first = first
        self._tls = tls
        self._lock = lock
        self._send_lock = threading.Lock()
        self._out: collections.deque[bytes | memoryview] = collections.deque()
        self._queued = 0
        self._sent = 0
        # Of the threads that wait until bytes have left, one at a time waits for the socket.
        self._turn = threading.Lock()
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

    def make_room(self, deadline: Deadline) -> bool:
        """Send as long as more than `HIGH_WATER` bytes are queued, waiting for the socket.

        Returns:
            Whether there is room; False when the time is up.

        Raises:
            DisconnectError, OSError: The connection is gone.
        """
        return self.pending < HIGH_WATER or self.send_up_to(self._queued - HIGH_WATER, deadline)

    def send_up_to(self, mark: int, deadline: Deadline) -> bool:
        """Send until the kernel has all that was queued when `mark` was read from `queued`.

        Others may send meanwhile, such as the poll thread.

        Returns:
            Whether it has; False when the time is up.

        Raises:
            DisconnectError, OSError: The connection is gone.
        """
        if not self._gone:
            self.flush()
        if self._sent >= mark:
            return True
        left = deadline.left()
        if not self._turn.acquire(timeout=-1 if left is None else left):
            return self._sent >= mark
        try:
            while self._sent < mark:
                if self._gone:
                    raise DisconnectError("the connection was lost before all was sent")
                if not self.flush():
                    if not self.wait(write=True, deadline=deadline) and deadline.expired():
                        return False
                elif self._sent < mark and not self._wait_for_sender(deadline):
                    return False
            return True
        finally:
            self._turn.release()

    def _wait_for_sender(self, deadline: Deadline) -> bool:
        """Wait until the thread that sends is done with it; False when the time is up."""
        left = deadline.left()
        if not self._send_lock.acquire(timeout=-1 if left is None else left):
            return False
        self._send_lock.release()
        return True

    @property
    def sent(self) -> int:
        """How many bytes the kernel has taken."""
        return self._sent

    @property
    def queued(self) -> int:
        """How many bytes were ever queued."""
        return self._queued

    def wait_until_acknowledged(self, deadline: Deadline) -> None:
        """Wait until the other side's kernel has all that was sent, as far as ours can tell.

        A socket that is closed with data unread, which may come at any time, throws away what the
        other side has not acknowledged.
        """
        while not self._gone and not deadline.expired() and unacknowledged(self.sock):
            time.sleep(ACKNOWLEDGED_CHECK)

    def end(self) -> None:
        """Queue what tells the other side of a TLS connection that nothing more comes."""
        if self._tls is not None:
            with self._lock:
                self._out.append(last := self._tls.end())
                self._queued += len(last)

    def _send(self) -> bool:
        try:
            while self._out:
                chunk = self._next_chunk()
                try:
                    sent = self.sock.send(chunk)
                except (BlockingIOError, InterruptedError):
                    self._out.appendleft(chunk)
                    return False
                self._sent += sent
                if sent < len(chunk):
                    self._out.appendleft(memoryview(chunk)[sent:])
        except OSError:
            self._gone = True  # what could not be sent is lost: nobody may wait for it
            raise
        except BaseException:
            # A signal handler's, such as Ctrl-C's KeyboardInterrupt: how much has left is unknown.
            self.interrupt()
            raise
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
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            data = self.sock.recv(max(RECEIVE_SIZE, min(awaited, LARGE_RECEIVE_SIZE)))
        except (BlockingIOError, InterruptedError):
            return None
        if not data:
            raise DisconnectError("the server closed the connection")
        self.received = time.monotonic()
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

    def wait(self, write: bool, deadline: Deadline) -> bool:
        """Wait until the socket can be read (or written); False when it cannot, after a day or so.

        Args:
            write: Whether it is to be written.
            deadline: How long.

        Raises:
            DisconnectError: Another thread has closed it.
        """
        if self._first and not write:
            return True
        left = deadline.left()
        timeout = None if left is None else min(left, LONGEST_WAIT)
        with WaitSelector() as selector:
            event = selectors.EVENT_WRITE if write else selectors.EVENT_READ
            try:
                selector.register(self.sock, event)
            except ValueError as error:
                raise DisconnectError("the connection was closed") from error
            return bool(selector.select(timeout))

    def interrupt(self) -> None:
        """Break the connection so that whoever waits on it wakes; closing comes after."""
        self._gone = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # not connected any more: all that was wanted

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()
