"""Reads the payload of a job from the body of a request, as far as the limits allow."""

import asyncio

from aiohttp import web

from gear_server.http.exchange import Exchange
from gear_server.http.problems import ProblemError
from gear_server.network.patience import PROGRESS
from gear_server.settings import ServerSettings


async def read_payload(
    request: web.Request, exchange: Exchange, settings: ServerSettings, head: bytes
) -> bytes:
    """Return the data of a packet: what comes before the payload, and the body as that.

    The parts of the body are joined once, when it is whole. As with a packet, there is a time for
    each piece of it.

    Args:
        request: The request.
        exchange: Counts what has come.
        settings: The limits.
        head: The arguments before the payload.

    Raises:
        ProblemError: The body is too large, comes too slowly, or is not what its headers say.
    """
    most = settings.max_packet_size - len(head)
    if (request.content_length or 0) > most:
        raise _too_large(most)
    seconds = settings.packet_timeout or None
    parts = [head]
    size = 0
    try:
        async with asyncio.timeout(seconds) as limit:
            due = PROGRESS
            while part := await request.content.readany():
                size += len(part)
                if size > most:
                    raise _too_large(most)
                parts.append(part)
                exchange.note_untaken(size)
                if seconds and size >= due:
                    due = size + PROGRESS
                    limit.reschedule(asyncio.get_running_loop().time() + seconds)
    except TimeoutError:
        raise ProblemError(
            408, f"{size} bytes of the body came, and then too little in {seconds:g} s"
        ) from None
    except web.RequestPayloadError:
        raise ProblemError(400, "the body is not what its headers say") from None
    exchange.note_untaken(0)
    return b"".join(parts)


def _too_large(most: int) -> ProblemError:
    return ProblemError(413, f"the payload may have {most} bytes (max_packet_size)")
