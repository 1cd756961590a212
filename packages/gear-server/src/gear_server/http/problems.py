"""Errors as ``application/problem+json``, RFC 9457: what was wrong, and what would be right."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

CONTENT_TYPE: Final = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was refused.

    Attributes:
        type: Nothing but the status: there are no kinds of problems beyond it.
        title: The name of the status.
        status: The status of the answer.
        detail: What was wrong, and what would be right.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """A request that is refused.

    Args:
        status: The status of the answer.
        detail: What was wrong, and what would be right.
        headers: More headers of the answer.

    Attributes:
        status: As given.
        detail: As given.
        headers: As given.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status: int = status
        self.detail: str = detail
        self.headers: Mapping[str, str] = headers or {}


def answer(status: int, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return the answer that tells of a problem."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return web.Response(
        status=status,
        body=msgspec.json.encode(problem),
        content_type=CONTENT_TYPE,
        headers=headers,
    )
