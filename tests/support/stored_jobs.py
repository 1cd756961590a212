"""Jobs as stores keep them."""

from gear_server.queue.store import StoredJob
from gear_wire.enums import Precedence


def job(number: int, **changes: object) -> StoredJob:
    """Return a job with a number, and what is said of it."""
    values: dict[str, object] = {
        "handle": b"H:host:%d" % number,
        "function": b"reverse",
        "unique": None,
        "arguments": b"data",
        "precedence": int(Precedence.NORMAL),
    }
    return StoredJob(**(values | changes))  # type: ignore[arg-type]  # by name, as given
