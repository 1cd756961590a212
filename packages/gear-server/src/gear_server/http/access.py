"""Who may ask over HTTP, and how everyone is answered."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from gear_server.http import problems
from gear_server.http.problems import ProblemError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LOG: Final = logging.getLogger("gear.Server")


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors as problems, and those of the server without details."""
    try:
        return await handler(request)
    except ProblemError as error:
        return problems.answer(error.status, error.detail, error.headers)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return problems.answer(error.status, _why(request, error), headers)
    except Exception:
        _LOG.exception("Exception while answering %s %s", request.method, request.path)
        return problems.answer(500, "the server failed to answer; its log says why")


def _why(request: web.Request, error: web.HTTPException) -> str:
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return f"{request.method} is not for {request.path}, but {allowed}"
        case web.HTTPNotFound():
            return (
                f"there is nothing at {request.path}; the API is described at /api/v1/openapi.json"
            )
        case web.HTTPRequestEntityTooLarge():
            return "the body is too large"
        case _:
            return error.text or error.reason
