"""Where a queue is kept, as the setting ``queue`` says it."""

import importlib
from typing import Final

from gear_server.queue.store import Store, Sync

MEMORY: Final = "memory"
"""The queue that is not stored."""
SQLITE: Final = "sqlite:"


def read_queue(text: str) -> str:
    """Return the value of the setting; an empty text for what cannot be one."""
    return text if text == MEMORY or (text.startswith(SQLITE) and text != SQLITE) else ""


def file_of(queue: str) -> str | None:
    """Return the file of a queue; None if it has none."""
    return queue.removeprefix(SQLITE) if queue.startswith(SQLITE) else None


def load_modules(queue: str) -> None:
    """Load the modules that a queue needs, before the user changes."""
    if file_of(queue) is not None:
        importlib.import_module("gear_server.queue.sqlite")


def open_store(queue: str, sync: Sync) -> Store | None:
    """Open the store of a queue; None for the queue in memory.

    Args:
        queue: The value of the setting.
        sync: Whether what is written must survive a loss of power.

    Raises:
        ConfigurationError: The store cannot be used; in one sentence.
    """
    file = file_of(queue)
    if file is None:
        return None
    from gear_server.queue.sqlite import SQLiteStore

    return SQLiteStore(file, sync)
