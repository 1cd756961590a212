"""Writes the sample configuration file, `geard.toml`, from the options.

``python -m gear_server.geard.sample > geard.toml`` in the source of gear-server.
"""

import json
import sys
import textwrap
from collections.abc import Iterator
from typing import Final

from gear_server.geard.configfile import TABLE
from gear_server.geard.options import GROUPS, OPTIONS
from gear_wire.option import Option

_WIDTH: Final = 100
_INTRODUCTION: Final = """\
Configuration of geard, for `geard --config geard.toml`: the keys are the long options without the
dashes. The lines that begin with # and a key show the default, or an example where there is no
default. An unknown key, or a value of the wrong type, is an error. The command line takes
precedence.
"""


def _value(option: Option) -> object:
    return option.example if option.program_default is None else option.program_default


def _lines() -> Iterator[str]:
    yield from (f"# {line}" for line in _INTRODUCTION.splitlines())
    yield f"\n[{TABLE}]"
    for group in GROUPS:
        yield f"\n# {group}"
        for option in OPTIONS.values():
            if option.group == group and option.in_files:
                note = option.help if option.program_default is not None else f"{option.help}; e.g."
                yield ""
                yield from (f"# {line}" for line in textwrap.wrap(note, _WIDTH - 2))
                # JSON's texts, numbers and truth values are TOML's.
                yield f"#{option.name} = {json.dumps(_value(option))}"


def sample() -> str:
    """Return the text of the file."""
    return "\n".join(_lines()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(sample())
