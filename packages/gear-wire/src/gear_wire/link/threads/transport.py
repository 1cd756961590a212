"""Who reads a connection and waits for it: its own callers, or the poll thread of a client."""

import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from gear_wire.link.deadline import Deadline
from gear_wire.link.threads.channel import Channel
from gear_wire.link.threads.inbound import Inbound
from gear_wire.link.threads.inbox import Inbox
from gear_wire.link.threads.loop import READ, WRITE, PollLoop, Ready
from gear_wire.link.threads.reading import Reading


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

    Args:
        read: Reads once before a deadline, and returns what is to be kept.

    Attributes:
        inbox: What was read and nobody has taken yet.
    """

    def __init__(self, read: Callable[[Deadline], Iterable[Inbound]]) -> None:
        self.inbox: Inbox = Inbox(read)

    def check_thread(self, what: str) -> None:
        """Do nothing: there is no poll thread."""

    def flush(self, channel: Channel, deadline: Deadline) -> bool:
        """Send all that is queued; False when the time is up."""
        return channel.send_up_to(channel.queued, deadline)

    def make_room(self, channel: Channel, deadline: Deadline) -> bool:
        """Return True: `flush` has sent all."""
        return True

    def wait_for(self, done: threading.Event, deadline: Deadline) -> bool:
        """Read until something has happened."""
        return self.inbox.read_until(done.is_set, deadline)

    def close(self, channel: Channel) -> None:
        """Close the socket."""
        channel.close()


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
