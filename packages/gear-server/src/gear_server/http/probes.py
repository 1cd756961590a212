"""Health checks, as load balancers and Kubernetes ask for them."""

from typing import Final

from aiohttp import web

from gear_server.http.access import public
from gear_server.http.context import CONTEXT


@public
async def _healthz(request: web.Request) -> web.Response:
    """Answer while the server lives at all."""
    return web.Response(text="alive\n")


@public
async def _readyz(request: web.Request) -> web.Response:
    """Answer 200 while jobs are accepted, and 503 while the server drains."""
    closed = request.app[CONTEXT].network.engine.closed
    return web.Response(status=503 if closed else 200, text="closing\n" if closed else "ready\n")


ROUTES: Final = [web.get("/healthz", _healthz), web.get("/readyz", _readyz)]
