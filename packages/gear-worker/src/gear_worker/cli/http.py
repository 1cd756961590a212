"""Answers GET requests of probes and scrapers: one page a request, nothing else of HTTP."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from gear_wire.link.listen import Listen

PATIENCE: Final = 10.0
"""Seconds that a request and its answer may take."""
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}
_TEXT: Final = "text/plain; charset=utf-8"


class Page(NamedTuple):
    """An answer.

    Attributes:
        status: The status code.
        body: What is shown.
        kind: Its media type.
    """

    status: int
    body: bytes
    kind: str = _TEXT


Pages = Mapping[str, Callable[[], Page]]
"""What makes a page, by its path."""
log: Final = logging.getLogger("gear.Worker.http")


class PageServer:
    """Serves pages on one address while its block lasts.

    Args:
        listen: Where.
        pages: The pages.
    """

    def __init__(self, listen: Listen, pages: Pages) -> None:
        self._listen = listen
        self._pages = pages

    async def __aenter__(self) -> None:
        """Start to listen; OSError if that is impossible."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(
            self._serve, self._listen.host, self._listen.port, limit=8192
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        name = f"[{host}]" if ":" in host else host
        log.info("Serving %s on http://%s:%d", ", ".join(self._pages), name, port)

    async def __aexit__(self, *error: object) -> None:
        """Stop listening, and cut off whoever is still connected."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async with asyncio.timeout(PATIENCE):
                line = await self._request(reader)
                writer.write(self._answer(line))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked is gone, too slow, or speaks no HTTP
        finally:
            self._tasks.discard(task)
            writer.close()

    @staticmethod
    async def _request(reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        return head.partition(b"\r\n")[0]

    def _answer(self, line: bytes) -> bytes:
        words = line.decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            return _encode(Page(400, b"not an HTTP request\n"), whole=True)
        method, target, _ = words
        if method not in ("GET", "HEAD"):
            return _encode(Page(405, b"only GET and HEAD\n"), whole=True)
        make = self._pages.get(target.partition("?")[0])
        page = Page(404, b"no such page\n") if make is None else make()
        return _encode(page, whole=method == "GET")


def _encode(page: Page, whole: bool) -> bytes:
    head = (
        f"HTTP/1.1 {page.status} {_REASONS[page.status]}\r\nContent-Type: {page.kind}\r\n"
        f"Content-Length: {len(page.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (page.body if whole else b"")
