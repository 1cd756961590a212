"""Keys, as a terminal sends them."""

import re
from collections.abc import Iterator
from typing import Final

_KEY: Final = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])?|.", re.DOTALL)
_NAMES: Final = {
    "\x1b": "escape",
    "\t": "tab",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\b": "backspace",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[1~": "home",
    "\x1b[4~": "end",
    **{
        prefix + letter: name
        for prefix in ("\x1b[", "\x1bO")
        for letter, name in {
            "A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end",
        }.items()
    },
}  # fmt: skip


def keys_of(data: bytes) -> Iterator[str]:
    """Yield what was pressed: the character, or the name of a key; what has neither is left out."""
    for sequence in _KEY.findall(data.decode(errors="ignore")):
        key = _NAMES.get(sequence, sequence)
        if key in _NAMES.values() or (len(key) == 1 and key.isprintable()):
            yield key
