"""Where a queue is kept, as the setting ``queue`` says it."""

import importlib
from typing import Final

from gear_server.queue.store import Store, Sync
from gear_wire.errors import ConfigurationError

MEMORY: Final = "memory"
"""The queue that is not stored."""
SQLITE: Final = "sqlite:"
POSTGRESQL: Final = "postgresql://"


def read_queue(text: str) -> str:
    """Return the value of the setting; an empty text for what cannot be one."""
    known = text == MEMORY or (text.startswith(SQLITE) and text != SQLITE)
    return text if known or is_shared(text) else ""


def file_of(queue: str) -> str | None:
    """Return the file of a queue; None if it has none."""
    return queue.removeprefix(SQLITE) if queue.startswith(SQLITE) else None


def is_shared(queue: str) -> bool:
    """Return whether several servers may have their jobs in a queue: in a database."""
    return queue.startswith(POSTGRESQL)


def describe_queue(queue: str) -> str:
    """Return what a queue is called in log lines: without a password.

    Raises:
        ConfigurationError: It is no URL, or its modules are not installed.
    """
    load_modules(queue)
    if is_shared(queue):
        from gear_server.queue.postgresql import check_url

        return check_url(queue)
    return file_of(queue) or queue


def load_modules(queue: str) -> None:
    """Load the modules that a queue needs, before the user changes.

    Raises:
        ConfigurationError: They are not installed.
    """
    if file_of(queue) is not None:
        importlib.import_module("gear_server.queue.sqlite")
    elif is_shared(queue):
        try:
            importlib.import_module("gear_server.queue.postgresql")
        except ImportError as error:
            raise ConfigurationError(
                f"a queue in PostgreSQL requires psycopg 3: pip install 'gear-server[postgresql]' "
                f"({error})"
            ) from error


def open_store(
    queue: str, sync: Sync, *, owner: bytes, lease: float, patience: float
) -> Store | None:
    """Open the store of a queue; None for the queue in memory.

    Args:
        queue: The value of the setting.
        sync: Whether what is written to a file must survive a loss of power.
        owner: What tells this server from others that use the same database, over restarts too.
        lease: Seconds after which one of them that does not show that it lives counts as dead.
        patience: Seconds for which submissions wait for a database that is away.

    Raises:
        ConfigurationError: The store cannot be used; in one sentence.
    """
    load_modules(queue)
    if is_shared(queue):
        from gear_server.queue.postgresql import PostgreSQLStore

        return PostgreSQLStore(queue, owner, lease, patience)
    file = file_of(queue)
    if file is None:
        return None
    from gear_server.queue.sqlite import SQLiteStore

    return SQLiteStore(file, sync)
