"""Stream over a real socket: what leaves when, and in which order."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from gear_wire.framing import Frame
from gear_wire.link.aio.stream import GATHERED, Stream
from gear_wire.link.deadline import Deadline

WAIT = 10


class Owner:
    """Takes in nothing."""

    expects_text = False

    def receive(self, frame: Frame) -> None:
        raise AssertionError(frame)

    def receive_line(self, line: bytes) -> bool:
        return False


class Ends:
    """A stream, what it hands to its transport, and the other end."""

    def __init__(self, stream: Stream, theirs: socket.socket) -> None:
        self.stream = stream
        self.theirs = theirs
        self.sent: list[bytes] = []
        assert stream.transport is not None
        write = stream.transport.write

        def noting(data: bytes | bytearray | memoryview) -> None:
            self.sent.append(bytes(data))
            write(data)

        stream.transport.write = noting  # type: ignore[method-assign]  # to see what is sent together

    async def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += await asyncio.get_running_loop().sock_recv(self.theirs, 1 << 16)
        return data


def run(scene: Callable[[Ends], Awaitable[None]]) -> None:
    async def play() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = socket.create_connection(listener.getsockname())
            theirs, _ = listener.accept()
        with theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            loop = asyncio.get_running_loop()
            _, stream = await loop.create_connection(lambda: Stream(Owner(), ours), sock=ours)
            async with asyncio.timeout(WAIT):
                await scene(Ends(stream, theirs))
            await stream.close(Deadline(WAIT))

    asyncio.run(play())


def test_the_first_of_a_turn_leaves_at_once_the_others_together() -> None:
    async def scene(ends: Ends) -> None:
        for letter in (b"a", b"b", b"c"):
            ends.stream.write(letter)
        assert ends.sent == [b"a"]
        await asyncio.sleep(0)
        assert ends.sent == [b"a", b"bc"]
        ends.stream.write(b"d")
        assert ends.sent == [b"a", b"bc", b"d"]
        assert await ends.receive(4) == b"abcd"

    run(scene)


def test_much_leaves_at_once() -> None:
    """Or whoever waits for room would not know that there is none."""

    async def scene(ends: Ends) -> None:
        ends.stream.write(b"a")
        ends.stream.write(b"b")
        ends.stream.write(bytes(GATHERED))
        assert ends.sent == [b"a", b"b" + bytes(GATHERED)]
        assert await ends.receive(GATHERED + 2) == b"ab" + bytes(GATHERED)

    run(scene)


@pytest.mark.parametrize("end", ["close", "abort"])
def test_what_was_written_before_the_end(end: str) -> None:
    async def scene(ends: Ends) -> None:
        ends.stream.write(b"a")
        ends.stream.write(b"b")
        if end == "abort":
            ends.stream.break_off("the test")
            await ends.stream.closed
            ends.stream.write(b"c")
            assert ends.sent == [b"a"]
        else:
            await ends.stream.close(Deadline(WAIT))
            assert ends.sent == [b"a", b"b"]
            assert await ends.receive(2) == b"ab"

    run(scene)
