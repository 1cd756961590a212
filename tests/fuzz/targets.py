"""What is fuzzed, by name."""

from collections.abc import Callable
from typing import Final

from fuzz import sessions, wire
from fuzz.engine import engine

Target = Callable[[bytes], None]
TARGETS: Final[dict[str, Target]] = {
    "framing": wire.framing,
    "codec": wire.codec,
    "text": wire.text,
    "client": sessions.client,
    "worker": sessions.worker,
    "engine": engine,
}
