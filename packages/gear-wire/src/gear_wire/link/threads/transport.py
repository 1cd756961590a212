"""Who reads a connection and waits for it: its own callers, or the poll thread of a client."""

import collections
import threading
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from gear_wire.link.deadline import Deadline
from gear_wire.link.threads.channel import Channel
from gear_wire.link.threads.inbound import Inbound
from gear_wire.link.threads.loop import READ, WRITE, PollLoop, Ready
from gear_wire.link.threads.reading import Reading
from gear_wire.packet import Packet

_ITEM_COST: Final = 512
"""Bytes of memory that a packet takes beside its data."""


def _cost(item: Inbound) -> int:
    data = item.data if isinstance(item, Packet) else item.response or b""
    return len(data) + _ITEM_COST


class Transport(Protocol):
    """What a connection needs of whoever reads its socket."""

    def check_thread(self, what: str) -> None:
        """Raise GearmanError where waiting for an answer would hang."""

    def flush(self, channel: Channel, deadline: Deadline) -> bool:
        """Send what is queued; False when some of it is left. OSError when it is broken."""

    def make_room(self, channel: Channel, deadline: Deadline) -> bool:
        """Wait while too much is queued; False when the time is up. OSError when it is broken."""

    def wait_for(self, done: threading.Event, deadline: Deadline) -> bool:
        """Wait for an answer; False when the time is up."""

    def close(self, channel: Channel) -> None:
        """Close a socket, once nobody reads it."""


class OwnTransport:
    """A connection on its own: whoever waits for something reads the socket meanwhile.

    Threads take turns at reading, one at a time for all of them.

    Args:
        read: Reads once what comes before a deadline, and returns what is to be kept of it.

    Attributes:
        size: About how many bytes of memory it takes what was received and not taken.
    """

    def __init__(self, read: Callable[[Deadline], Iterable[Inbound]]) -> None:
        self._read = read
        self._received: collections.deque[Inbound] = collections.deque()
        self.size: int = 0
        # Held while it is decided who reads; notified after each read.
        self._changed = threading.Condition()
        self._reading = False

    def check_thread(self, what: str) -> None:
        """Do nothing: there is no poll thread."""

    def flush(self, channel: Channel, deadline: Deadline) -> bool:
        """Send all that is queued; False when the time is up."""
        return channel.send_up_to(channel.queued, deadline)

    def make_room(self, channel: Channel, deadline: Deadline) -> bool:
        """Return True: `flush` has sent all."""
        return True

    def wait_for(self, done: threading.Event, deadline: Deadline) -> bool:
        """Read until something has happened; raises what reading raises."""
        return self._read_until(done.is_set, deadline)

    def close(self, channel: Channel) -> None:
        """Close the socket."""
        channel.close()

    @property
    def holds_packets(self) -> bool:
        """Whether something was received that nobody has taken yet."""
        return bool(self._received)

    def receive(self) -> Inbound:
        """Return the oldest that was received and not taken, or that comes; as `wait_for`."""
        taken: list[Inbound] = []

        def done() -> bool:
            if self._received:
                taken.append(self._received.popleft())
                self.size -= _cost(taken[0])
            return bool(taken)

        self._read_until(done, Deadline(None))
        return taken[0]

    def discard(self, item: Inbound) -> None:
        """Forget something that was received, if it is there."""
        with self._changed:
            if item in self._received:
                self._received.remove(item)
                self.size -= _cost(item)

    def clear(self) -> None:
        """Forget all that was received."""
        self._received.clear()
        self.size = 0

    def _read_until(self, done: Callable[[], bool], deadline: Deadline) -> bool:
        """Read until something is done, or let another thread read meanwhile."""
        with self._changed:
            while not done():
                if deadline.expired():
                    return False
                if self._reading:
                    self._changed.wait(deadline.left())
                else:
                    self._read_once(deadline)
        return True

    def _read_once(self, deadline: Deadline) -> None:
        self._reading = True
        self._changed.release()
        try:
            for item in self._read(deadline):
                self._received.append(item)
                self.size += _cost(item)
        finally:
            self._changed.acquire()
            self._reading = False
            self._changed.notify_all()


class PolledTransport:
    """A connection of a client, whose poll thread reads it.

    Args:
        loop: The client's loop.
    """

    def __init__(self, loop: PollLoop) -> None:
        self.loop: PollLoop = loop
        self._reading: Reading | None = None

    def check_thread(self, what: str) -> None:
        """Raise GearmanError on the poll thread, where waiting for an answer would hang."""
        self.loop.check_elsewhere(what)

    def flush(self, channel: Channel, deadline: Deadline) -> bool:
        """Send what can be sent now, and have the poll thread send the rest."""
        if channel.flush():
            return True
        self.loop.call(lambda: self._send_rest(channel))
        return False

    def _send_rest(self, channel: Channel) -> None:
        if channel.pending:
            self.loop.watch(channel.sock, READ | WRITE)

    def writable(self, channel: Channel) -> None:
        """Send more of what was queued; called by the loop when the socket takes it."""
        if channel.flush():
            self.loop.watch(channel.sock, READ)

    def make_room(self, channel: Channel, deadline: Deadline) -> bool:
        """Wait while too much is queued; never on the poll thread, which others wait for."""
        return self.loop.here() or channel.make_room(deadline)

    def wait_for(self, done: threading.Event, deadline: Deadline) -> bool:
        """Wait until the poll thread has made something happen."""
        return done.wait(deadline.left())

    def watch(self, channel: Channel, ready: Ready) -> None:
        """Have the loop call something whenever the socket is ready; on its thread."""
        self._reading = Reading(self.loop, channel, ready)

    def spin(self, done: Callable[[], bool], alone: Callable[[], bool]) -> None:
        """Do what the loop would for a moment, until something is done; see `Reading.spin`."""
        reading = self._reading
        if reading is not None:
            reading.spin(done, alone)

    def close(self, channel: Channel) -> None:
        """Close the socket on the poll thread: only after the reader has noticed its end."""
        reading, self._reading = self._reading, None
        close = channel.close if reading is None else reading.end
        if not self.loop.call(close):
            close()
