"""The body of a request, which is believed up to a limit of its size and of its time."""

import asyncio
from typing import Final, TypeVar

import msgspec
from aiohttp import hdrs, web

from gear_server.http.problems import ProblemError

TIMEOUT: Final = 10.0
"""Seconds in which a body must come."""
LARGEST: Final = 65_536
"""Bytes of it."""
JSON: Final = "application/json"

Body = TypeVar("Body", bound=msgspec.Struct)


async def read_json(request: web.Request, kind: type[Body]) -> Body:
    """Return what the body of a request says.

    Raises:
        ProblemError: It is not JSON, is too large, comes too slowly, or says something else.
    """
    if request.content_type != JSON or hdrs.CONTENT_TYPE not in request.headers:
        raise ProblemError(415, f"the body must be JSON, with Content-Type: {JSON}")
    body = await _read(request)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(400, f"the body is wrong: {error}") from None


async def refuse_body(request: web.Request) -> None:
    """Refuse a request that has a body where there is nothing to say."""
    if request.body_exists and await _read(request):
        raise ProblemError(400, "this request has no body")


async def _read(request: web.Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(TIMEOUT):
            async for part in request.content.iter_any():
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise ProblemError(413, f"the body has more than {LARGEST} bytes")
    except TimeoutError:
        raise ProblemError(408, f"the body did not come within {TIMEOUT:g} seconds") from None
    except web.RequestPayloadError:
        raise ProblemError(400, "the body is not what its headers say") from None
    return b"".join(parts)
