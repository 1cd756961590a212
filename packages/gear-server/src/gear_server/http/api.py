"""The API, ``/api/v1``: what there is in a server, as JSON, and the little that can be changed."""

import time
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import hdrs, web

from gear_server.engine.access import DENIED
from gear_server.engine.rights import Right
from gear_server.engine.state import Function, ServerJob
from gear_server.http.access import denied, needs, peer_of
from gear_server.http.bodies import read_json, refuse_body
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
from gear_server.http.rows import QueueLimits
from gear_server.http.snapshot import Snapshot, shown

ROOT: Final = "/api/v1"
SNAPSHOT: Final = web.AppKey("snapshot", Snapshot)


def to_json(row: msgspec.Struct) -> web.Response:
    """Return an answer of JSON."""
    return web.Response(body=msgspec.json.encode(row), content_type="application/json")


def named(request: web.Request) -> bytes:
    """Return the name in a path, ``/api/v1/KIND/NAME`` or ``.../NAME/DO``: any bytes."""
    name = request.rel_url.raw_path.split("/", 4)[4]
    if request.method == hdrs.METH_POST:
        name = name.rpartition("/")[0]
    return unquote_to_bytes(name)


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
        raise _no_job(handle)
    return job


def _no_job(handle: bytes) -> ProblemError:
    return ProblemError(404, f"there is no job {shown(handle)!r}: it has ended, or never was")


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


@needs(Right.ENTRY)
async def _one_job(request: web.Request) -> web.Response:
    read_query(request, NoQuery)
    network = request.app[CONTEXT].network
    handle = named(request)
    with network.lock:
        job = _job(request, handle)
        access = network.engine.access
        if access is not None and not access.may_see(peer_of(request), job, time.monotonic()):
            raise _no_job(handle)
        return to_json(request.app[SNAPSHOT].job_row(job))


@needs(Right.CANCEL)
async def _cancel(request: web.Request) -> web.Response:
    read_query(request, NoQuery)
    await refuse_body(request)
    network = request.app[CONTEXT].network
    engine, peer = network.engine, peer_of(request)
    with network.lock:
        job = _job(request, named(request))
        if engine.access is not None and not engine.access.may_cancel(peer, job, time.monotonic()):
            raise denied(peer, f"cancel jobs of {shown(job.name)!r}")
        if job.holder is not None and not engine.settings.cancel_running:
            raise ProblemError(409, "the job runs, and this server cancels only jobs that wait")
        engine.cancel(job)
    network.schedule_flush()
    return web.Response(status=204)


@needs(Right.ADMIN)
async def _maxqueue(request: web.Request) -> web.Response:
    read_query(request, NoQuery)
    limits = await read_json(request, QueueLimits)
    network = request.app[CONTEXT].network
    engine, peer = network.engine, peer_of(request)
    with network.lock:
        function = _function(request, named(request))
        words = [b"maxqueue", function.name]
        words += [b"%d" % limit for limit in (limits.high, limits.normal, limits.low)]
        # As the text command does it: with its log, and the list of who may.
        if engine.obey(peer, engine.text_rules[words[0]], words, time.monotonic()) == DENIED:
            raise denied(peer, Right.ADMIN.value)
    network.schedule_flush()
    return web.Response(status=204)


ROUTES: Final = [
    web.get(f"{ROOT}/server", _server),
    web.get(f"{ROOT}/functions", _functions),
    web.get(f"{ROOT}/functions/{{name:.+}}", _one_function),
    web.get(f"{ROOT}/workers", _workers),
    web.get(f"{ROOT}/connections", _connections),
    web.get(f"{ROOT}/jobs", _jobs),
    web.get(f"{ROOT}/jobs/{{handle:.+}}", _one_job),
    web.post(f"{ROOT}/jobs/{{handle:.+}}/cancel", _cancel),
    web.post(f"{ROOT}/functions/{{name:.+}}/maxqueue", _maxqueue),
]
