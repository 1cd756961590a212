"""The data of jobs that come one after the other: arguments, or lines of standard input."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterable
from typing import Final

_CHUNK: Final = 1 << 16


async def given(payloads: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Give data that is there from the beginning."""
    for payload in payloads:
        yield payload


async def lines(descriptor: int) -> AsyncIterator[bytes]:
    """Give the lines of a file as they come, without their ends; it need not end.

    Args:
        descriptor: The file.

    Raises:
        OSError: It cannot be read.
    """
    begun = bytearray()
    async for chunk in _chunks(descriptor):
        first, *others = chunk.split(b"\n")
        begun += first
        for line in others:
            yield bytes(begun)
            begun[:] = line
    if begun:
        yield bytes(begun)


async def _chunks(descriptor: int) -> AsyncIterator[bytes]:
    """Give what a file has, a piece at a time, and read no more than was asked for.

    A thread reads, since asyncio cannot wait for every kind of file. It is a daemon and takes no
    lock of `sys.stdin`, or the program could not end while the file neither has more nor ends.
    """
    loop = asyncio.get_running_loop()
    read: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    wanted = threading.Semaphore(0)

    def reader() -> None:
        piece: bytes | OSError = b"-"
        while piece and not isinstance(piece, OSError):
            wanted.acquire()
            try:
                piece = os.read(descriptor, _CHUNK)
            except OSError as error:
                piece = error
            try:
                loop.call_soon_threadsafe(read.put_nowait, piece)
            except RuntimeError:
                return  # the loop has ended meanwhile

    threading.Thread(target=reader, daemon=True).start()
    while True:
        wanted.release()
        piece = await read.get()
        if isinstance(piece, OSError):
            raise piece
        if not piece:
            return
        yield piece
