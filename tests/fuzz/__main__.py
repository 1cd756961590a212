"""Fuzzes one target with atheris, which looks for inputs that run new code."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import atheris

CORPUS: Final = Path(__file__).parent / "corpus"
FOUND: Final = Path(__file__).parents[2] / ".fuzz"
"""Where inputs are kept from one run to the next, and those that fail."""
LONGEST: Final = 1000
"""Bytes of an input: an engine does some hundred steps then."""
PACKAGES: Final = ["gear_wire", "gear_client", "gear_worker", "gear_server"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fuzz what the command line asks for; the exit status is that of libFuzzer."""
    with atheris.instrument_imports(include=PACKAGES):
        from fuzz.targets import TARGETS
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS, help="what to fuzz")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="for how long")
    chosen, more = parser.parse_known_args(arguments)
    found = FOUND / chosen.target
    found.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={chosen.seconds}",
        f"-max_len={LONGEST}",
        f"-artifact_prefix={FOUND}/{chosen.target}-",
        *more,
        str(found),
        str(CORPUS / chosen.target),
    ]
    atheris.Setup([sys.argv[0], *options], TARGETS[chosen.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
