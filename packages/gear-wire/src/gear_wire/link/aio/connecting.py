"""Connects to a server on an asyncio loop: its addresses race, then TLS shakes hands."""

import asyncio
import socket
from typing import TYPE_CHECKING

from gear_wire.errors import ConnectionError, DisconnectError, GearmanError
from gear_wire.framing import MAX_LINE_SIZE
from gear_wire.link.address import ServerAddress
from gear_wire.link.aio.stream import Stream, StreamOwner
from gear_wire.link.aio.within import within
from gear_wire.link.candidates import STAGGER, Candidate, all_failed, in_order
from gear_wire.link.deadline import Deadline
from gear_wire.link.heartbeat import PROBE, SILENCE
from gear_wire.link.tls import NOT_ACCEPTED, TLSStream, describe

if TYPE_CHECKING:
    import ssl


async def open_stream(
    owner: StreamOwner,
    server: ServerAddress,
    context: "ssl.SSLContext | None",
    deadline: Deadline,
    max_line_size: int = MAX_LINE_SIZE,
) -> Stream:
    """Return a stream that is connected to a server.

    With TLS 1.3 a client learns only after its handshake whether the server accepts its
    certificate. So there a connection counts once something came after that: most servers send
    session tickets, and those that do not answer an ECHO_REQ.

    Args:
        owner: Who takes in what comes.
        server: Where it is, and how to talk to it.
        context: For TLS; None for plaintext.
        deadline: When to give up.
        max_line_size: The longest line of text accepted, in bytes.

    Raises:
        ConnectionError: The server cannot be reached or TLS fails; its text is the reason alone.
    """
    try:
        async with within(deadline, "no answer"):
            sock = await _connect(server)
            tls = None if context is None else TLSStream(context, server.host)
            stream = Stream(owner, sock, tls, max_line_size)
            try:
                await asyncio.get_running_loop().create_connection(lambda: stream, sock=sock)
                await _accepted(stream)
            except BaseException:
                stream.break_off("the attempt to connect ended")
                raise
    # A TimeoutError is an OSError; without a thread to look up a host there is a RuntimeError.
    except (OSError, UnicodeError, RuntimeError, GearmanError) as error:
        raise ConnectionError(describe(error)) from error
    return stream


async def _accepted(stream: Stream) -> None:
    await asyncio.shield(stream.secured)
    await asyncio.wait((stream.accepted,), timeout=SILENCE)
    if not stream.accepted.done():
        stream.write(PROBE)
    try:
        await asyncio.shield(stream.accepted)
    except DisconnectError as error:
        if "TLS" in str(error):
            raise  # what TLS says itself, such as an alert, is better
        raise DisconnectError(NOT_ACCEPTED) from error


async def _connect(server: ServerAddress) -> socket.socket:
    """Return a connected socket, of the first address that takes the connection."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    candidates = in_order(found)
    attempts: set[asyncio.Task[socket.socket]] = set()
    errors: list[Exception] = []
    try:
        while candidates or attempts:
            if candidates:
                attempts.add(loop.create_task(_attempt(server, candidates.pop(0))))
            done, attempts = await asyncio.wait(
                attempts,
                timeout=STAGGER if candidates else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            connected = [task.result() for task in done if task.exception() is None]
            for spare in connected[1:]:
                spare.close()
            if connected:
                return connected[0]
            errors += [error for task in done if isinstance(error := task.exception(), Exception)]
    finally:
        for task in attempts:
            task.add_done_callback(_discard)
            task.cancel()
    raise all_failed(errors)


async def _attempt(server: ServerAddress, candidate: Candidate) -> socket.socket:
    sock = candidate.socket()
    try:
        server.set_options(sock)
        await asyncio.get_running_loop().sock_connect(sock, candidate.where)
    except BaseException:
        sock.close()
        raise
    return sock


def _discard(task: asyncio.Task[socket.socket]) -> None:
    """Close what an attempt brought that nobody waits for any more."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()
