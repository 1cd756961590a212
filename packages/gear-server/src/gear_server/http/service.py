"""The HTTP server, on the loop of the job server: its routes, its beginning and its end.

aiohttp is a protocol that runs on a loop which is there already. So the job server's own acceptors
let its connections in, under the same limits, and with the same certificates, which can be reread.
"""

import functools
import socket
import time
from collections.abc import Iterable, Sequence
from typing import Final

from aiohttp import web

from gear_server.http import (
    access,
    api,
    events,
    exchange,
    gearmand,
    jobs,
    metrics,
    openapi,
    pages,
    probes,
)
from gear_server.http.access import GATE, Gate
from gear_server.http.api import SNAPSHOT
from gear_server.http.connection import HttpConnection
from gear_server.http.context import CONTEXT, Context
from gear_server.http.events import EVENTS, Events
from gear_server.http.history import History
from gear_server.http.metrics import METRICS, Metrics
from gear_server.http.snapshot import Snapshot
from gear_server.http.token import TokenFile
from gear_server.network.server import AsyncServer

SHUTDOWN_TIMEOUT: Final = 1.0
"""Seconds that requests may go on when the server ends."""
ROUTES: Final = [
    *probes.ROUTES,
    *metrics.ROUTES,
    *api.ROUTES,
    *events.ROUTES,
    *jobs.ROUTES,
    *openapi.ROUTES,
    *pages.ROUTES,
]


class HttpService:
    """What a job server shows and takes over HTTP.

    Args:
        network: The job server, whose loop is running.
        sockets: Listening sockets.
        gearmand_sockets: Those for jobs in gearmand's form.
        token: The token that requests must bring; None if they need none.
    """

    def __init__(
        self,
        network: AsyncServer,
        sockets: Sequence[socket.socket],
        gearmand_sockets: Sequence[socket.socket],
        token: TokenFile | None,
    ) -> None:
        self._network = network
        started = time.monotonic()
        self._history = History(network)
        runner = self._make(ROUTES, sockets, token, started)
        app = runner.app
        snapshot = app[SNAPSHOT] = Snapshot(network, self._history, started)
        self._events = app[EVENTS] = Events(network, snapshot)
        self._metrics = app[METRICS] = Metrics(
            network, snapshot, self._history, network.settings.metrics_functions
        )
        as_gearmand = self._make(gearmand.ROUTES, gearmand_sockets, token, started)
        as_gearmand.app.on_response_prepare.append(gearmand.name_server)
        self._listening = (runner, sockets), (as_gearmand, gearmand_sockets)

    def _make(
        self,
        routes: Iterable[web.AbstractRouteDef],
        sockets: Sequence[socket.socket],
        token: TokenFile | None,
        started: float,
    ) -> web.AppRunner:
        """Return what serves some routes, under the rules of all."""
        app = web.Application(middlewares=[access.guard])
        app[CONTEXT] = Context(self._network, started)
        app[GATE] = Gate(self._network, token, [sock.getsockname()[0] for sock in sockets])
        app.on_response_prepare.append(access.add_headers)
        exchange.prepare(app)
        app.add_routes(routes)
        # A client that leaves has its request cancelled, and a job that waits for nobody else.
        return web.AppRunner(app, shutdown_timeout=SHUTDOWN_TIMEOUT, handler_cancellation=True)

    async def start(self) -> None:
        """Start accepting connections."""
        for runner, sockets in self._listening:
            await runner.setup()
            assert runner.server is not None
            self._network.accept(sockets, functools.partial(HttpConnection, runner.server))

    async def close(self) -> None:
        """Close all connections; what is being answered has a moment left."""
        await self._events.close()
        await self._history.close()
        await self._metrics.close()
        for runner, _ in self._listening:
            await runner.cleanup()
