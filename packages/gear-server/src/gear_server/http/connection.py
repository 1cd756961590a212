"""One HTTP connection, which the server has let in and counts like any other."""

import asyncio
from typing import Final

from aiohttp import web

from gear_server.network.doors import Admission

KEEPALIVE: Final = 75.0
"""Seconds that a connection may stay open between two requests."""


class HttpConnection(web.RequestHandler):
    """A connection that ends its admission when it is lost.

    Args:
        server: What answers the requests.
        admission: What let it in.
    """

    __slots__ = ("_admission",)

    def __init__(self, server: web.Server, admission: Admission) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # None is none, but its type does not say so
            keepalive_timeout=KEEPALIVE,
        )
        self._admission = admission

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._admission.leave()
        super().connection_lost(exc)
