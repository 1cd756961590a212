"""What is said when a program is started without the libraries of its extra; needs none of them."""

import sys
from typing import Final

from gear_wire.cli.exits import Exit

_LIBRARIES: Final = frozenset({"click", "rich"})


def explain_missing(program: str, error: ModuleNotFoundError) -> int:
    """Say in one line what to install, and return the exit code.

    Args:
        program: The program's name, which is that of its distribution.
        error: What importing its commands raised; raised again if anything else is missing.
    """
    if (error.name or "").partition(".")[0] not in _LIBRARIES:
        raise error
    sys.stderr.write(f"{program}: {error.name} is missing: pip install '{program}[cli]'\n")
    return Exit.USAGE
