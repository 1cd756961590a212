"""Connects to a server on an asyncio loop: its addresses race, then TLS shakes hands."""

import asyncio
import itertools
import socket
from typing import TYPE_CHECKING, Final

from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.errors import ConnectionError, GearmanError
from gear_wire.link.address import ServerAddress
from gear_wire.link.aio.stream import Stream, StreamOwner
from gear_wire.link.aio.within import within
from gear_wire.link.deadline import Deadline
from gear_wire.link.heartbeat import PAYLOAD
from gear_wire.link.inherited import let_go_when_forked
from gear_wire.link.tls import TLSStream, describe
from gear_wire.packets import EchoReq

if TYPE_CHECKING:
    import ssl

CONNECT_TIMEOUT: Final = 10.0
"""Seconds an attempt to connect may take: look-up, TCP and TLS together."""
STAGGER: Final = 0.25
"""Seconds after which the next address is tried too, as RFC 8305 recommends."""
_SILENCE: Final = 0.5
"""Seconds after which a server that says nothing after the TLS handshake is asked for an echo."""

Address = tuple[int, int, int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]
"""Family, kind and protocol of a socket, and where it connects to."""


async def open_stream(
    owner: StreamOwner,
    server: ServerAddress,
    context: "ssl.SSLContext | None",
    deadline: Deadline,
    max_line_size: int | None = None,
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
        max_line_size: The longest line of text accepted, in bytes; None for no limit.

    Raises:
        ConnectionError: The server cannot be reached or TLS fails; its text is the reason alone.
    """
    try:
        async with within(deadline, "no answer"):
            sock = await _connect(server)
            tls = None if context is None else TLSStream(context, server.host)
            stream = Stream(owner, sock, tls, max_line_size)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server.keepalive.apply(sock)
                await asyncio.get_running_loop().create_connection(lambda: stream, sock=sock)
                await _accepted(stream)
            except BaseException:
                stream.break_off("the attempt to connect ended")
                raise
    except (OSError, UnicodeError, GearmanError) as error:  # a TimeoutError is an OSError
        raise ConnectionError(describe(error)) from error
    return stream


async def _accepted(stream: Stream) -> None:
    await asyncio.shield(stream.secured)
    await asyncio.wait((stream.accepted,), timeout=_SILENCE)
    if not stream.accepted.done():
        stream.write(encode(EchoReq(PAYLOAD), Magic.REQ))
    await asyncio.shield(stream.accepted)


async def _connect(server: ServerAddress) -> socket.socket:
    """Return a connected socket, of the first address that takes the connection."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    addresses = _interleaved([(family, kind, proto, at) for family, kind, proto, _, at in found])
    attempts: set[asyncio.Task[socket.socket]] = set()
    errors: list[Exception] = []
    try:
        while addresses or attempts:
            if addresses:
                attempts.add(loop.create_task(_attempt(addresses.pop(0))))
            done, attempts = await asyncio.wait(
                attempts,
                timeout=STAGGER if addresses else None,
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
    raise ConnectionError("; ".join(dict.fromkeys(map(describe, errors))) or "it has no address")


def _interleaved(addresses: list[Address]) -> list[Address]:
    """Return the addresses with their families in turn, beginning with the first one's."""
    families = dict.fromkeys(address[0] for address in addresses)
    queues = [[address for address in addresses if address[0] == family] for family in families]
    return [address for row in itertools.zip_longest(*queues) for address in row if address]


async def _attempt(address: Address) -> socket.socket:
    family, kind, protocol, where = address
    sock = socket.socket(family, kind, protocol)
    let_go_when_forked(sock)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


def _discard(task: asyncio.Task[socket.socket]) -> None:
    """Close what an attempt brought that nobody waits for any more."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()
