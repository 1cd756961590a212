"""PollLoop: one thread around a selector, over real sockets."""

import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from gear_wire.link.threads.loop import READ, WRITE, PollLoop
from support.poll_loops import poll_loop, settle


@pytest.fixture
def loop() -> Iterator[PollLoop]:
    with poll_loop() as loop:
        yield loop


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


def test_calls_run_on_its_thread_in_order(loop: PollLoop) -> None:
    seen: list[tuple[int, bool]] = []
    for number in range(100):
        loop.call(lambda number=number: seen.append((number, loop.here())))  # type: ignore[misc]  # a lambda with a default
    settle(loop)
    assert seen == [(number, True) for number in range(100)]
    assert not loop.here()
    assert loop.thread.daemon
    assert loop.thread.name == "test loop"


def test_a_call_may_ask_for_calls(loop: PollLoop) -> None:
    done = threading.Event()

    def ask() -> None:
        loop.call(done.set)

    loop.call(ask)
    assert done.wait(10)


def test_a_socket_that_can_be_read(
    loop: PollLoop, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    came = threading.Event()
    chunks: list[bytes] = []

    def ready(events: int) -> None:
        assert events == READ
        chunks.append(ours.recv(100))
        came.set()

    loop.call(lambda: loop.add(ours, ready))
    theirs.sendall(b"hello")
    assert came.wait(10)
    assert chunks == [b"hello"]


def test_a_socket_is_watched_for_writing_while_that_is_wanted(
    loop: PollLoop, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, _ = pair
    events_seen: list[int] = []
    wrote = threading.Event()

    def ready(events: int) -> None:
        events_seen.append(events)
        loop.watch(ours, READ)
        wrote.set()

    loop.call(lambda: loop.add(ours, ready))
    settle(loop)
    assert events_seen == []
    loop.call(lambda: loop.watch(ours, READ | WRITE))
    assert wrote.wait(10)
    settle(loop)
    assert events_seen == [WRITE]


def test_a_socket_that_was_removed_is_not_watched(
    loop: PollLoop, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    seen: list[int] = []
    loop.call(lambda: loop.add(ours, seen.append))
    loop.call(lambda: loop.remove(ours))
    loop.call(lambda: loop.watch(ours, READ | WRITE))
    loop.call(lambda: loop.remove(ours))
    settle(loop)
    theirs.sendall(b"x")
    settle(loop)
    settle(loop)
    assert seen == []


def test_an_exception_ends_nothing(
    loop: PollLoop, pair: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = pair
    raised = threading.Event()

    def raises(events: int = 0) -> None:
        ours.recv(100)
        raised.set()
        raise RuntimeError("a callback that raises")

    loop.call(lambda: loop.add(ours, raises))
    theirs.sendall(b"x")
    assert raised.wait(10)
    loop.call(raises)
    settle(loop)
    assert "a callback that raises" in caplog.text


def test_the_end_comes_after_what_was_asked_for() -> None:
    loop = PollLoop("test loop", logging.getLogger("gear.test.loop"))
    done = threading.Event()
    loop.call(done.set)
    loop.stop()
    assert done.is_set()
    assert not loop.thread.is_alive()
    assert not loop.call(done.clear)
    assert done.is_set()
    loop.stop()


def test_it_may_be_stopped_on_its_own_thread() -> None:
    loop = PollLoop("test loop", logging.getLogger("gear.test.loop"))
    loop.call(loop.stop)
    loop.thread.join(10)
    assert not loop.thread.is_alive()
