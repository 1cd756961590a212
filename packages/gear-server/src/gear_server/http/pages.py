"""The live page: its few files, as they are, and as browsers like them compressed."""

import gzip
import hashlib
import importlib.resources
from typing import Final

import msgspec
from aiohttp import ETag, hdrs, web

from gear_server.http.access import public

TYPES: Final = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


class PageFile(msgspec.Struct, frozen=True):
    """A file of the page.

    Attributes:
        content_type: Its media type.
        body: What is in it.
        compressed: The same, by gzip.
        etag: A tag of that.
    """

    content_type: str
    body: bytes
    compressed: bytes
    etag: str


def _read() -> dict[str, PageFile]:
    files: dict[str, PageFile] = {}
    for path in importlib.resources.files("gear_server.http").joinpath("page").iterdir():
        content_type = TYPES.get(path.name.rpartition(".")[2])
        if content_type is not None:
            body = path.read_bytes()
            compressed = gzip.compress(body, mtime=0)
            etag = hashlib.sha256(body).hexdigest()[:16]
            files[path.name] = PageFile(content_type, body, compressed, etag)
    return files


FILES: Final = _read()
"""The files by name."""


def _answer(request: web.Request, name: str) -> web.Response:
    """Answer with a file. Browsers ask each time, so that a new server brings a new page."""
    file = FILES.get(name)
    if file is None:
        raise web.HTTPNotFound
    headers = {hdrs.CACHE_CONTROL: "no-cache", hdrs.VARY: hdrs.ACCEPT_ENCODING}
    known = request.if_none_match or ()
    if any(tag.value in (file.etag, "*") for tag in known):
        response = web.Response(status=304, headers=headers)
    else:
        response = web.Response(
            body=file.body, content_type=file.content_type, charset="utf-8", headers=headers
        )
        if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            response.body = file.compressed
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    response.etag = ETag(file.etag, is_weak=True)  # it is the same for both encodings
    return response


@public
async def _index(request: web.Request) -> web.Response:
    return _answer(request, "index.html")


@public
async def _file(request: web.Request) -> web.Response:
    return _answer(request, request.match_info["name"])


ROUTES: Final = [web.get("/", _index), web.get("/page/{name}", _file)]
