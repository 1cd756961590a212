"""``python -m gear_server.queue``: look into the file of a queue while no server uses it."""

import argparse
import collections
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

from gear_server.queue.dump import dump, parse
from gear_server.queue.sqlite import SQLiteStore
from gear_server.queue.store import Batch
from gear_wire.enums import Precedence
from gear_wire.errors import GearmanError

_BATCH: Final = 2000
"""Jobs that are added in one transaction."""
_BATCH_SIZE: Final = 64 << 20
"""Bytes of data after which a transaction is ended earlier."""


def _show(value: bytes) -> str:
    """Return bytes as text of one line, without what a terminal would obey."""
    return repr(value)[2:-1]


def _list(store: SQLiteStore) -> int:
    for job in store.load():
        print(
            _show(job.handle), _show(job.function), Precedence(job.precedence).name.lower(),
            f"due={job.due}", f"retries={job.retries}", f"{len(job.arguments)} bytes", sep="\t",
        )  # fmt: skip
    return 0


def _count(store: SQLiteStore) -> int:
    counts = collections.Counter(job.function for job in store.load())
    for function, count in sorted(counts.items()):
        print(f"{_show(function)}\t{count}")
    print(f"{counts.total()} jobs")
    return 0


def _check(store: SQLiteStore) -> int:
    faults = store.check()
    if faults:
        print(*faults, sep="\n")
        return 1
    print(f"{store.count()} jobs, no damage")
    return 0


def _dump(store: SQLiteStore) -> int:
    for job in store.load():
        sys.stdout.buffer.write(dump(job))
    sys.stdout.flush()
    return 0


def _load(store: SQLiteStore) -> int:
    highest, added, size = store.reserved, 0, 0
    batch = Batch()
    for job in parse(sys.stdin.buffer):
        batch.added.append(job)
        # New jobs get numbers above all that are there.
        highest = max(highest, job.number)
        size += len(job.arguments)
        added += 1
        if len(batch.added) == _BATCH or size >= _BATCH_SIZE:
            batch.reserved = highest
            store.write(batch)
            batch, size = Batch(), 0
    batch.reserved = highest
    store.write(batch)
    print(f"{added} jobs added", file=sys.stderr)
    return 0


_COMMANDS: Final[dict[str, tuple[Callable[[SQLiteStore], int], str]]] = {
    "list": (_list, "list the jobs, one a line"),
    "count": (_count, "count the jobs of each function"),
    "check": (_check, "check the file; exit code 1 if it is damaged"),
    "dump": (_dump, "write the jobs to standard output as lines of JSON"),
    "load": (_load, "add the jobs of such a dump, from standard input"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: The command line without the program's name; by default, that of the process.

    Returns:
        Its exit code: 0, or 1 if it could not do it or the file is damaged.
    """
    parser = argparse.ArgumentParser(
        prog="python -m gear_server.queue",
        description="Look into the file of a durable queue while no server uses it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n"
        + "\n".join(f"  {name:7} {text}" for name, (_, text) in _COMMANDS.items()),
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="the file of `geard --queue sqlite:FILE`")
    parser.add_argument("command", metavar="COMMAND", choices=_COMMANDS, help="what to do")
    given = parser.parse_args(arguments)
    run, _ = _COMMANDS[given.command]
    try:
        store = SQLiteStore(given.file, create=given.command == "load")
        try:
            return run(store)
        finally:
            store.close()
    except BrokenPipeError:
        # Whoever read the lines has seen enough; the interpreter must not write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (GearmanError, OSError) as error:
        print(f"python -m gear_server.queue: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
