"""gearmand options that `geard` ignores or refuses, each with the reason."""

import itertools
from typing import Final

import msgspec


class ForeignOption(msgspec.Struct, frozen=True):
    """An option that has a use in gearmand only.

    Attributes:
        spellings: How it is written on a command line.
        reason: Why it is not supported here.
        metavar: What its value is called; empty for a switch.
        taken: Whether it is accepted and ignored, with the reason in the log; else it is refused.
        harmless: The only value that is accepted of an option that is refused otherwise.
    """

    spellings: tuple[str, ...]
    reason: str
    metavar: str = ""
    taken: bool = False
    harmless: str = ""


_IN_MEMORY: Final = "jobs are kept in memory; there is no persistent queue"
_NO_HTTP: Final = "geard speaks Gearman only"
_STORES: Final = {
    "libsqlite3": ("db", "table"),
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
    ForeignOption(("-q", "--queue-type"), _IN_MEMORY, "TYPE", harmless="builtin"),
    ForeignOption(("--store-queue-on-shutdown",), _IN_MEMORY),
    ForeignOption(("-r", "--protocol"), _NO_HTTP, "NAME", harmless="gear"),
    ForeignOption(("--http-port",), _NO_HTTP, "PORT"),
    *(
        ForeignOption((f"--{store}-{name}",), _IN_MEMORY, name.upper())
        for store, names in _STORES.items()
        for name in names
    ),
)
FOREIGN_BY_SPELLING: Final = dict(
    itertools.chain.from_iterable(
        ((spelling, option) for spelling in option.spellings) for option in FOREIGN
    )
)
