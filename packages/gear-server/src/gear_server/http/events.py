"""``GET /api/v1/events``: each second, what a page of functions and the server show, as events.

A view is made once a second for all who look at the same, and only of the rows that they see. Who
reads slowly misses views, and is sent the newest one next: nothing is queued for anybody.
"""

import asyncio
import logging
import time
from typing import Final

import msgspec
from aiohttp import web

from gear_server.http.access import GATE
from gear_server.http.problems import ProblemError
from gear_server.http.queries import FunctionsQuery, read_query
from gear_server.http.snapshot import Snapshot
from gear_server.network.server import AsyncServer

PERIOD: Final = 1.0
"""Seconds between two views."""
HEARTBEAT: Final = 15.0
"""Seconds after which a comment is sent if there was no view: proxies close what is silent."""
RETRY: Final = 2000
"""Milliseconds after which a browser is to connect again."""
MOST: Final = 100
"""Streams that there may be."""
_LOG: Final = logging.getLogger("gear.Server")


class Listener:
    """One who follows a view.

    Attributes:
        ended: Whether there will be no more views.
    """

    def __init__(self) -> None:
        self.ended: bool = False
        self._newest: bytes | None = None
        self._event = asyncio.Event()

    def give(self, view: bytes) -> None:
        """Replace the view that is to be sent."""
        self._newest = view
        self._event.set()

    def end(self) -> None:
        """Give no more views, after the last one."""
        self.ended = True
        self._event.set()

    async def take(self) -> bytes:
        """Return the newest view; a comment after a long silence, nothing at the end."""
        try:
            async with asyncio.timeout(HEARTBEAT):
                await self._event.wait()
        except TimeoutError:
            return b":\n\n"
        self._event.clear()
        view, self._newest = self._newest, None
        return view or b""


def _event(name: str, row: msgspec.Struct) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(row))


class Events:
    """Makes the views, as long as somebody looks.

    Args:
        network: The job server; its loop is running, and calls this.
        snapshot: What the views are made of.
    """

    def __init__(self, network: AsyncServer, snapshot: Snapshot) -> None:
        self._engine = network.engine
        self._snapshot = snapshot
        self._listeners: dict[FunctionsQuery, set[Listener]] = {}
        self._task: asyncio.Task[None] | None = None

    def join(self, query: FunctionsQuery) -> Listener:
        """Begin to follow a view.

        Raises:
            ProblemError: Too many do, or the server is about to end.
        """
        if self._engine.closed:
            raise ProblemError(503, "the server is about to end")
        if sum(map(len, self._listeners.values())) >= MOST:
            raise ProblemError(
                503, f"there are {MOST} streams of events already", {"Retry-After": "10"}
            )
        listener = Listener()
        self._listeners.setdefault(query, set()).add(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return listener

    def leave(self, query: FunctionsQuery, listener: Listener) -> None:
        """Stop following a view."""
        listeners = self._listeners[query]
        listeners.discard(listener)
        if not listeners:
            del self._listeners[query]

    async def view(self, query: FunctionsQuery) -> bytes:
        """Return a view as it is now, for whoever begins to follow it."""
        return await self._functions(query) + await self._server()

    def end(self) -> None:
        """End all streams."""
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.end()

    async def close(self) -> None:
        """End all streams, and make no more views."""
        self.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self._listeners:
                begin = time.monotonic()
                await self._tell()
                if self._engine.closed:
                    self.end()
                await asyncio.sleep(max(0.0, begin + PERIOD - time.monotonic()))
        except Exception:
            _LOG.exception("Exception while making events")
            self.end()
        finally:
            self._task = None

    async def _tell(self) -> None:
        server = await self._server()
        for query in list(self._listeners):
            functions = await self._functions(query)
            for listener in self._listeners.get(query, ()):
                listener.give(functions + server)

    async def _functions(self, query: FunctionsQuery) -> bytes:
        page = await self._snapshot.functions(query.search, query.sort, query.page, query.size)
        return _event("functions", page)

    async def _server(self) -> bytes:
        return _event("server", await self._snapshot.server())


EVENTS: Final = web.AppKey("events", Events)


async def _events(request: web.Request) -> web.StreamResponse:
    """Stream views until the client leaves, may look no longer, or the server is about to end."""
    query = read_query(request, FunctionsQuery)
    events = request.app[EVENTS]
    listener = events.join(query)
    try:
        view = await events.view(query)
        # A proxy that gathers what it passes on would show nothing.
        response = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        response.charset = "utf-8"
        await response.prepare(request)
        await response.write(b"retry: %d\n\n" % RETRY + view)
        while not listener.ended:
            view = await listener.take()
            request.app[GATE].check(request)  # the token or the list may have changed
            await response.write(view)
    except ProblemError:
        if not request.writer.output_size:
            raise
    finally:
        events.leave(query, listener)
    await response.write_eof()
    return response


ROUTES: Final = [web.get("/api/v1/events", _events, allow_head=False)]
