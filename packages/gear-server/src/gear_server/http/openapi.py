"""The description of the API in OpenAPI, made from the structs that are sent and received."""

import functools
import inspect
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from gear_server.__about__ import __version__
from gear_server.engine.rights import Right
from gear_server.http import problems
from gear_server.http.access import needs
from gear_server.http.problems import Problem
from gear_server.http.queries import (
    ConnectionsQuery,
    FunctionsQuery,
    JobsQuery,
    NoQuery,
    WorkersQuery,
    read_query,
)
from gear_server.http.rows import (
    ConnectionPage,
    FunctionPage,
    FunctionRow,
    JobPage,
    JobRow,
    QueueLimits,
    Server,
    WorkerPage,
)

OPENAPI: Final = "3.1.0"
PATH: Final = "/api/v1/openapi.json"
JSON: Final = "application/json"
_REFERENCE: Final = "#/components/schemas/{name}"
_ALWAYS: Final = (400, 401, 403, 405, 421)
"""What may be answered to any request."""
_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.+(?:\n        .+)*)", re.MULTILINE)
Schema = dict[str, object]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What can be done at a path.

    Attributes:
        path: The path, with names in braces.
        does: What it does, in a sentence.
        answer: What it answers; None for nothing.
        query: Its parameters.
        method: The method.
        body: What the request must say; None for nothing.
        problems: The statuses of problems that are its own.
        media: The media type of the answer.
    """

    path: str
    does: str
    answer: type[msgspec.Struct] | None
    query: type[msgspec.Struct] = NoQuery
    method: str = "get"
    body: type[msgspec.Struct] | None = None
    problems: tuple[int, ...] = ()
    media: str = JSON


OPERATIONS: Final = (
    Operation(path="/api/v1/server", does="Show the server.", answer=Server),
    Operation(
        path="/api/v1/functions",
        does="List functions, the busiest first unless told otherwise.",
        answer=FunctionPage,
        query=FunctionsQuery,
    ),
    Operation(
        path="/api/v1/functions/{name}",
        does="Show a function.",
        answer=FunctionRow,
        problems=(404,),
    ),
    Operation(
        path="/api/v1/functions/{name}/maxqueue",
        does="Set how many jobs a function may have when a new one is submitted.",
        answer=None,
        method="post",
        body=QueueLimits,
        problems=(404, 408, 413, 415),
    ),
    Operation(
        path="/api/v1/workers",
        does="List workers.",
        answer=WorkerPage,
        query=WorkersQuery,
        problems=(404,),
    ),
    Operation(
        path="/api/v1/connections",
        does="List connections of the Gearman protocol.",
        answer=ConnectionPage,
        query=ConnectionsQuery,
    ),
    Operation(
        path="/api/v1/jobs",
        does="List jobs: those that run, then those that wait, then those for later.",
        answer=JobPage,
        query=JobsQuery,
        problems=(404,),
    ),
    Operation(path="/api/v1/jobs/{handle}", does="Show a job.", answer=JobRow, problems=(404,)),
    Operation(
        path="/api/v1/jobs/{handle}/cancel",
        does="Cancel a job. A worker that runs it is not interrupted.",
        answer=None,
        method="post",
        problems=(404, 408, 409, 413),
    ),
    Operation(
        path="/api/v1/events",
        does="Stream server-sent events, each second: `functions`, as the list of functions "
        "says them, and `server`.",
        answer=None,
        query=FunctionsQuery,
        problems=(503,),
        media="text/event-stream",
    ),
    Operation(path=PATH, does="Describe the API.", answer=None),
)
"""All that the API can do."""


def _explained(kind: type[msgspec.Struct], component: Mapping[str, object]) -> Schema:
    """Return the schema of a struct with the words of its docstring."""
    text = inspect.getdoc(kind) or ""
    said = {name: " ".join(words.split()) for name, words in _ATTRIBUTE.findall(text)}
    schema: Schema = {**component, "description": text.partition("\n\n")[0].replace("\n", " ")}
    properties = component.get("properties")
    if isinstance(properties, dict):
        schema["properties"] = {
            name: {"description": said[name], **value} if name in said else value
            for name, value in properties.items()
        }
    return schema


def _structs(kind: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct]]:
    """Return a struct and those that it holds, by name."""
    found = {kind.__name__: kind}
    for field in msgspec.structs.fields(kind):
        for part in (field.type, *getattr(field.type, "__args__", ())):
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                found |= _structs(part)
    return found


def _parameters(operation: Operation) -> list[Schema]:
    """Return the parameters of an operation: of its path, then of its query."""
    parameters: list[Schema] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"The {name}, percent-encoded; slashes may stand for themselves.",
            "schema": {"type": "string", "minLength": 1},
        }
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    _, (components) = msgspec.json.schema_components([operation.query])
    properties = components[operation.query.__name__]["properties"]
    for name, described in properties.items():
        schema = dict(described)
        description = schema.pop("description", "")
        if schema.get("default", ...) is None:
            # A parameter that is not given is null here, but none can be given as null.
            del schema["default"]
            (schema,) = [each for each in schema["anyOf"] if each != {"type": "null"}]
            description = schema.pop("description", description)
        parameters.append(
            {"name": name, "in": "query", "description": description, "schema": schema}
        )
    return parameters


def _content(media: str, kind: type[msgspec.Struct] | None) -> Schema:
    schema = {} if kind is None else {"$ref": _REFERENCE.format(name=kind.__name__)}
    return {media: {"schema": schema}}


def _answers(operation: Operation) -> Schema:
    empty = operation.method == "post" and operation.answer is None
    done: Schema = {"description": "It is done." if empty else "What was asked for."}
    if not empty:
        done["content"] = _content(operation.media, operation.answer)
    answers: Schema = {"204" if empty else "200": done}
    for status in sorted({*_ALWAYS, *operation.problems}):
        answers[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": _content(problems.CONTENT_TYPE, Problem),
        }
    return answers


def _described(operation: Operation) -> Schema:
    described: Schema = {
        "summary": operation.does.partition(". ")[0].rstrip("."),
        "description": operation.does,
        "parameters": _parameters(operation),
        "responses": _answers(operation),
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content(JSON, operation.body)}
    return described


def describe() -> Schema:
    """Return the description of the API."""
    kinds: dict[str, type[msgspec.Struct]] = _structs(Problem)
    for operation in OPERATIONS:
        for kind in (operation.answer, operation.body):
            if kind is not None:
                kinds |= _structs(kind)
    _, components = msgspec.json.schema_components(kinds.values(), ref_template=_REFERENCE)
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "geard",
            "version": __version__,
            "description": "What there is in a Gearman job server, and the little that can be "
            "changed over HTTP. Times are in seconds, and relative: no clocks are compared.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        # Whether a token is needed depends on the server.
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                name: _explained(kinds[name], component) if name in kinds else component
                for name, component in components.items()
            },
        },
    }


@functools.cache
def _document() -> bytes:
    return msgspec.json.encode(describe())


@needs(Right.NONE)
async def _openapi(request: web.Request) -> web.Response:
    read_query(request, NoQuery)
    return web.Response(body=_document(), content_type=JSON)


ROUTES: Final = [web.get(PATH, _openapi)]
