"""Reading over real sockets: the poll thread reads, or for a moment a thread that waits."""

import selectors
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gear_wire.errors import DisconnectError
from gear_wire.link.spin import MOST_SKIPPED, Spin
from gear_wire.link.threads import reading
from gear_wire.link.threads.channel import Channel
from gear_wire.link.threads.loop import READ, WRITE, PollLoop
from gear_wire.link.threads.pauses import Pauses
from gear_wire.link.threads.reading import Reading
from support.poll_loops import poll_loop, settle

WAIT = 10


def never() -> bool:
    return False


def always() -> bool:
    return True


class Reader:
    """Reads what comes, and notes it and the thread that read it."""

    def __init__(self, loop: PollLoop, sock: socket.socket) -> None:
        self.loop = loop
        self.channel = Channel(sock, None, threading.RLock())
        self.came: list[tuple[bytes, threading.Thread]] = []
        self.events: list[int] = []
        self.changed = threading.Condition()
        self.failure: BaseException | None = None
        made: list[Reading] = []
        loop.call(lambda: made.append(Reading(loop, self.channel, self.ready)))
        settle(loop)
        self.reading = made[0]

    def ready(self, events: int) -> None:
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        try:
            data = self.channel.receive() if events & READ else None
        except DisconnectError:
            self.loop.remove(self.channel.sock)
            data = b""
        with self.changed:
            self.events.append(events)
            if data is not None:
                self.came.append((data, threading.current_thread()))
            self.changed.notify_all()

    def has(self, number: int) -> Callable[[], bool]:
        return lambda: len(self.came) >= number

    def wait_for(self, condition: Callable[[], object]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, WAIT)


@pytest.fixture
def loop() -> Iterator[PollLoop]:
    with poll_loop() as loop:
        yield loop


@pytest.fixture
def ends(loop: PollLoop) -> Iterator[tuple[Reader, socket.socket]]:
    ours, theirs = socket.socketpair()
    reader = Reader(loop, ours)
    with theirs:
        yield reader, theirs
        reader.reading.end()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have threads look for their answers so long that none is ever looked for in vain."""
    monkeypatch.setattr(reading, "SPIN", 60.0)


def test_the_poll_thread_reads(ends: tuple[Reader, socket.socket]) -> None:
    reader, theirs = ends
    theirs.sendall(b"hello")
    reader.wait_for(reader.has(1))
    assert reader.came == [(b"hello", reader.loop.thread)]


@pytest.mark.usefixtures("patient")
def test_a_thread_that_waits_reads_instead(ends: tuple[Reader, socket.socket]) -> None:
    reader, theirs = ends
    here = threading.current_thread()
    for number in range(1, 4):
        # Sent from within: the poll thread is out of the way by then.
        reader.reading.spin(reader.has(number), sends_once(theirs, b"%d" % number))
    assert reader.came == [(b"1", here), (b"2", here), (b"3", here)]
    theirs.sendall(b"later")
    reader.wait_for(reader.has(4))
    assert reader.came[3] == (b"later", reader.loop.thread)


def sends_once(sock: socket.socket, data: bytes) -> Callable[[], bool]:
    """Return a condition that holds, and that sends something when it is asked the second time."""
    asked = [0]

    def alone() -> bool:
        asked[0] += 1
        if asked[0] == 2:
            sock.sendall(data)
        return True

    return alone


@pytest.mark.usefixtures("patient")
def test_a_thread_that_waits_among_others_does_not_read(
    ends: tuple[Reader, socket.socket],
) -> None:
    reader, theirs = ends
    reader.reading.spin(never, never)
    assert reader.events == []
    turns = iter([True, True, False])
    reader.reading.spin(never, lambda: next(turns, False))
    assert reader.events == [READ]
    theirs.sendall(b"x")
    reader.wait_for(reader.has(1))
    assert reader.came == [(b"x", reader.loop.thread)]


@pytest.mark.usefixtures("patient")
def test_one_thread_reads_at_a_time(ends: tuple[Reader, socket.socket]) -> None:
    reader, _ = ends
    within, leave = threading.Event(), threading.Event()

    def hold() -> bool:
        within.set()
        return leave.wait(WAIT)

    thread = threading.Thread(target=reader.reading.spin, args=(hold, always))
    thread.start()
    assert within.wait(WAIT)
    reader.reading.spin(never, always)  # returns at once: another thread reads
    assert reader.events == []
    leave.set()
    thread.join()


def test_what_could_not_be_sent_is_sent_afterwards(ends: tuple[Reader, socket.socket]) -> None:
    """Another thread that has bytes left asks for the socket to be watched meanwhile."""
    reader, _ = ends

    def ask() -> bool:
        reader.loop.call(lambda: reader.loop.watch(reader.channel.sock, READ | WRITE))
        settle(reader.loop)
        return True

    reader.reading.spin(ask, always)
    reader.wait_for(lambda: WRITE in reader.events)


@pytest.mark.usefixtures("patient")
def test_the_socket_is_closed_once_nobody_reads(loop: PollLoop) -> None:
    ours, theirs = socket.socketpair()
    reader = Reader(loop, ours)
    within, asked = threading.Event(), threading.Event()
    open_then: list[bool] = []

    def hold() -> bool:
        within.set()
        assert asked.wait(WAIT)
        open_then.append(ours.fileno() >= 0)
        return True

    thread = threading.Thread(target=reader.reading.spin, args=(hold, always))
    with theirs:
        thread.start()
        assert within.wait(WAIT)
        loop.call(reader.reading.end)
        asked.set()
        thread.join()
        settle(loop)
    assert set(open_then) == {True}
    assert ours.fileno() == -1
    reader.reading.spin(never, always)  # nothing to read any more
    assert reader.events == []


def test_an_exception_in_between_breaks_the_connection(
    ends: tuple[Reader, socket.socket],
) -> None:
    """A signal's handler may raise anywhere: what was read by then is lost."""
    reader, theirs = ends
    reader.failure = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reader.reading.spin(never, always)
    assert theirs.recv(1) == b""
    reader.wait_for(reader.has(1))
    assert reader.came == [(b"", reader.loop.thread)]


def test_after_the_loop_nobody_reads(ends: tuple[Reader, socket.socket]) -> None:
    reader, theirs = ends
    reader.loop.stop()
    theirs.sendall(b"x")
    reader.reading.spin(never, always)
    assert reader.events == []


def test_other_selectors_pause_nothing(ends: tuple[Reader, socket.socket]) -> None:
    reader, _ = ends
    with selectors.SelectSelector() as selector:
        pauses = Pauses(selector)
        assert not pauses.pause(reader.channel.sock)
        pauses.resume(reader.channel.sock, READ)
        pauses.close()


def looks(finds: list[bool]) -> list[bool]:
    """Return at which waits one looks, when each look would find what `finds` says."""
    spin = Spin()
    looked = []
    for found in finds:
        looked.append(spin.due())
        if looked[-1]:
            spin.note(found)
    return looked


def test_looks_in_vain_become_rare() -> None:
    looked = looks([False] * 100_000)
    assert looked[:8] == [True, False, True, False, False, False, True, False]
    assert sum(looked) < 8 + 100_000 / (MOST_SKIPPED + 1) + 1
    assert any(looked[-MOST_SKIPPED - 1 :])


@given(st.lists(st.booleans(), max_size=300))
def test_a_look_that_finds_is_followed_by_another(before: list[bool]) -> None:
    finds = [*before, *[True] * (MOST_SKIPPED + 10)]
    assert all(looks(finds)[-10:])
