"""What every handler of an HTTP request may use of the server."""

import dataclasses
from typing import Final

from aiohttp import web

from gear_server.network.server import AsyncServer


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The server, as HTTP knows it.

    Attributes:
        network: The job server; its `engine` is looked at with its `lock` held.
        started: When it started, on the monotonic clock.
    """

    network: AsyncServer
    started: float


CONTEXT: Final = web.AppKey("context", Context)
