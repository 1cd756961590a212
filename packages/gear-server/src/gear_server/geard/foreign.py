"""Options of gearmand that `geard` takes without effect or refuses, each with the reason."""

import itertools
from typing import Final

import msgspec


class ForeignOption(msgspec.Struct, frozen=True):
    """An option that only gearmand has a use for.

    Attributes:
        spellings: As it is written on a command line.
        reason: Why it means nothing here.
        metavar: What its value is called; nothing for a switch.
        taken: Whether it is taken, and a log line says the reason; else it is an error.
        harmless: The one value that is taken of an option that is refused otherwise.
    """

    spellings: tuple[str, ...]
    reason: str
    metavar: str = ""
    taken: bool = False
    harmless: str = ""


_IN_MEMORY: Final = "jobs are kept in memory; there is no persistent queue"
_NO_HTTP: Final = "there is no HTTP here; what speaks Gearman is served"
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
    ForeignOption(("--daemon",), "without -d it is a daemon anyway", taken=True),
    ForeignOption(("-R", "--round-robin"), "a worker's functions always take turns", taken=True),
    ForeignOption(("-t", "--threads"), "one thread serves all connections", "N", taken=True),
    ForeignOption(("--hashtable-buckets",), "tables grow with the jobs in them", "N", taken=True),
    ForeignOption(("--coredump",), "nothing here keeps the system from dumping core", taken=True),
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
