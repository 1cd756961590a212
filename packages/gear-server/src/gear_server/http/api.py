"""The API, ``/api/v1``: what there is in a server, as JSON, and the little that can be changed."""

from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import web

from gear_server.engine.state import Function, ServerJob
from gear_server.http.context import CONTEXT
from gear_server.http.problems import ProblemError
from gear_server.http.queries import (
    ConnectionsQuery,
    FunctionsQuery,
    JobsQuery,
    NoQuery,
    WorkersQuery,
    read_query,
)
from gear_server.http.snapshot import Snapshot, shown

ROOT: Final = "/api/v1"
SNAPSHOT: Final = web.AppKey("snapshot", Snapshot)


def to_json(row: msgspec.Struct) -> web.Response:
    """Return an answer of JSON."""
    return web.Response(body=msgspec.json.encode(row), content_type="application/json")


def named(request: web.Request) -> bytes:
    """Return the name in a path, ``/api/v1/KIND/NAME``: any bytes, slashes too."""
    raw = request.rel_url.raw_path.split("/", 4)[4]
    return unquote_to_bytes(raw)


def _as_bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def _function(request: web.Request, name: bytes) -> Function:
    function = request.app[SNAPSHOT].function_named(name)
    if function is None:
        raise ProblemError(404, f"there is no function {shown(name)!r}")
    return function


def _job(request: web.Request, handle: bytes) -> ServerJob:
    job = request.app[SNAPSHOT].job_named(handle)
    if job is None:
        raise ProblemError(404, f"there is no job {shown(handle)!r}: it has ended, or never was")
    return job


def _filter(request: web.Request, name: str | None) -> Function | None:
    return None if name is None else _function(request, _as_bytes(name))


async def _server(request: web.Request) -> web.Response:
    read_query(request, NoQuery)
    return to_json(await request.app[SNAPSHOT].server())


async def _functions(request: web.Request) -> web.Response:
    query = read_query(request, FunctionsQuery)
    return to_json(
        await request.app[SNAPSHOT].functions(query.search, query.sort, query.page, query.size)
    )


async def _one_function(request: web.Request) -> web.Response:
    read_query(request, NoQuery)
    function = _function(request, named(request))
    with request.app[CONTEXT].network.lock:
        return to_json(request.app[SNAPSHOT].function_row(function))


async def _workers(request: web.Request) -> web.Response:
    query = read_query(request, WorkersQuery)
    function = _filter(request, query.function)
    return to_json(await request.app[SNAPSHOT].workers(function, query.page, query.size))


async def _connections(request: web.Request) -> web.Response:
    query = read_query(request, ConnectionsQuery)
    return to_json(await request.app[SNAPSHOT].connections(query.page, query.size))


async def _jobs(request: web.Request) -> web.Response:
    query = read_query(request, JobsQuery)
    function = _filter(request, query.function)
    return to_json(await request.app[SNAPSHOT].jobs(function, query.state, query.page, query.size))


async def _one_job(request: web.Request) -> web.Response:
    read_query(request, NoQuery)
    job = _job(request, named(request))
    with request.app[CONTEXT].network.lock:
        return to_json(request.app[SNAPSHOT].job_row(job))


ROUTES: Final = [
    web.get(f"{ROOT}/server", _server),
    web.get(f"{ROOT}/functions", _functions),
    web.get(f"{ROOT}/functions/{{name:.+}}", _one_function),
    web.get(f"{ROOT}/workers", _workers),
    web.get(f"{ROOT}/connections", _connections),
    web.get(f"{ROOT}/jobs", _jobs),
    web.get(f"{ROOT}/jobs/{{handle:.+}}", _one_job),
]
