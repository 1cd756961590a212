"""gearmand options that `geard` translates, ignores or refuses, each with the reason."""

import itertools
from collections.abc import Mapping
from typing import Final

import msgspec

from gear_server.queue.url import SQLITE
from gear_wire.errors import ConfigurationError


class ForeignOption(msgspec.Struct, frozen=True):
    """An option that has a use in gearmand only.

    Attributes:
        spellings: How it is written on a command line.
        reason: Why it is not supported here.
        metavar: What its value is called; empty for a switch.
        taken: Whether it is accepted and ignored, with the reason in the log; else it is refused.
        values: The only values that are accepted of an option that is refused otherwise.
        translated: Whether it is one of those that say something else here, see `queue_of` and
            `gearmand_http_of`.
    """

    spellings: tuple[str, ...]
    reason: str
    metavar: str = ""
    taken: bool = False
    values: tuple[str, ...] = ()
    translated: bool = False


_NOT_THERE: Final = "jobs are kept in memory, in a file of SQLite or in PostgreSQL"
_SQLITE: Final = "libsqlite3"
_HTTP: Final = "http"
_HTTP_PORT: Final = "8080"
"""gearmand's, unless told otherwise."""
_STORES: Final = {
    "mysql": ("host", "port", "user", "password", "db", "table"),
    "libpq": ("conninfo", "table"),
    "redis": ("server", "port", "password", "prefix"),
    "libmemcached": ("servers", "prefix"),
    "libtokyocabinet": ("file", "optimize"),
    "libdrizzle": ("host", "port", "uds", "user", "password", "db", "table", "mysql"),
}

FOREIGN: Final = (
    ForeignOption(("--daemon",), "geard is a daemon unless -d is given", taken=True),
    ForeignOption(("-R", "--round-robin"), "a worker's functions always take turns", taken=True),
    ForeignOption(("-t", "--threads"), "one thread serves all connections", "N", taken=True),
    ForeignOption(("--hashtable-buckets",), "hash tables grow as needed", "N", taken=True),
    ForeignOption(("--coredump",), "core dumps are left to the system", taken=True),
    ForeignOption(
        ("--libsqlite3-table",), "gearmand's table is known by its columns", "NAME", taken=True
    ),
    ForeignOption(
        ("-q", "--queue-type"), _NOT_THERE, "TYPE", values=("builtin", _SQLITE), translated=True
    ),
    ForeignOption(
        ("--libsqlite3-db",), "with -q libsqlite3, it is --queue", "FILE", translated=True
    ),
    ForeignOption(("--store-queue-on-shutdown",), _NOT_THERE),
    ForeignOption(
        ("-r", "--protocol"),
        "http is --gearmand-http here, and there are no others",
        "NAME",
        values=("gear", _HTTP),
        translated=True,
    ),
    ForeignOption(
        ("--http-port",), "with --protocol http, it is --gearmand-http", "PORT", translated=True
    ),
    *(
        ForeignOption((f"--{store}-{name}",), _NOT_THERE, name.upper())
        for store, names in _STORES.items()
        for name in names
    ),
)
FOREIGN_BY_SPELLING: Final = dict(
    itertools.chain.from_iterable(
        ((spelling, option) for spelling in option.spellings) for option in FOREIGN
    )
)


def queue_of(given: Mapping[str, str]) -> str | None:
    """Return the value of ``--queue`` that gearmand's options stand for; None if they say nothing.

    Args:
        given: The translated options, by their last spelling.

    Raises:
        ConfigurationError: The file is missing.
    """
    if given.get("--queue-type", "").lower() != _SQLITE:
        return None
    file = given.get("--libsqlite3-db")
    if not file:
        raise ConfigurationError("-q libsqlite3 requires --libsqlite3-db")
    return f"{SQLITE}{file}"


def gearmand_http_of(given: Mapping[str, str]) -> str | None:
    """Return the value of ``--gearmand-http`` that gearmand's options stand for; None if none.

    Args:
        given: The translated options, by their last spelling.
    """
    if given.get("--protocol", "").lower() != _HTTP:
        return None
    return given.get("--http-port", _HTTP_PORT)
