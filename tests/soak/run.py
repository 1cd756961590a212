"""Runs the soak: `python tests/soak/run.py --jobs 1000000`, with what `hatch run` has installed."""

import sys
from pathlib import Path

if __name__ == "__main__":
    tests = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(tests), str(tests / "fixtures")]
    from soak.rounds import main

    sys.exit(main())
