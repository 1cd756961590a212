"""What the parameters of a request may be; the description of the API is made from the same."""

from typing import Annotated, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from msgspec import Meta

from gear_server.http.problems import ProblemError
from gear_server.http.rows import State
from gear_server.http.snapshot import SORT_KEYS

PageNumber = Annotated[
    int, Meta(ge=1, le=1_000_000, description="The number of the page; the first is 1.")
]
PageSize = Annotated[int, Meta(ge=1, le=1000, description="How many there are on a page.")]
SORTS: Final = f"^-?({'|'.join(SORT_KEYS)})$"

Query = TypeVar("Query", bound=msgspec.Struct)


class FunctionsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which functions are shown, and in which order."""

    search: Annotated[
        str, Meta(max_length=512, description="What must be in their names, in any case.")
    ] = ""
    sort: Annotated[
        str,
        Meta(pattern=SORTS, description="By what; with a dash before it, the largest first."),
    ] = "-activity"
    page: PageNumber = 1
    size: PageSize = 100


class WorkersQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which workers are shown."""

    function: Annotated[
        str | None, Meta(description="A function that they must have registered.")
    ] = None
    page: PageNumber = 1
    size: PageSize = 100


class ConnectionsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which connections are shown."""

    page: PageNumber = 1
    size: PageSize = 100


class JobsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which jobs are shown: queues are walked job by job, so only the first 10,000 can be."""

    function: Annotated[str | None, Meta(description="The function of the jobs.")] = None
    state: Annotated[State | None, Meta(description="What the jobs do.")] = None
    page: Annotated[
        int, Meta(ge=1, le=100, description="The number of the page; the first is 1.")
    ] = 1
    size: Annotated[int, Meta(ge=1, le=100, description="How many there are on a page.")] = 100


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


def read_query(request: web.Request, kind: type[Query]) -> Query:
    """Return the parameters of a request; text may hold any bytes, by surrogate escapes.

    Raises:
        ProblemError: There is another one, one twice, or one that is wrong.
    """
    text = request.rel_url.raw_query_string
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=32)
    except ValueError:
        raise ProblemError(400, "a request has at most 32 parameters") from None
    names = kind.__struct_fields__
    known = f"the parameters here are {', '.join(names)}" if names else "there are none here"
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in names:
            shown = name.encode(errors="replace").decode()
            raise ProblemError(400, f"there is no parameter {shown!r}: {known}")
        if name in values:
            raise ProblemError(400, f"the parameter {name} is given twice")
        values[name] = value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ProblemError(400, f"a parameter is wrong: {error}") from None
    except UnicodeEncodeError:
        raise ProblemError(400, "a parameter is wrong: it is not UTF-8") from None
