"""Runs worlds: one, with a line for all that happens in it, or many, until one fails."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Final

from simulation.seeds import Failure, run_seed, run_seeds

CHUNK: Final = 250
"""Worlds that a process runs at a time."""


def read_seeds(text: str) -> range:
    """Return the seeds of a text such as ``0:1000``."""
    first, _, end = text.partition(":")
    return range(int(first), int(end))


def replay(seed: int) -> int:
    """Run one world, with its state checked after each turn, and print all that happens."""
    run_seed(seed, audit_every=1, print_line=print)
    print(f"seed {seed} holds")
    return 0


def run_all(seeds: range) -> Failure | None:
    """Run worlds on all processors, and print how it goes."""
    started = time.monotonic()
    chunks = iter([seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)])
    done = 0
    with ProcessPoolExecutor() as pool:
        pending: dict[Future[Failure | None], range] = {}
        while True:
            while len(pending) < 2 * (os.cpu_count() or 1):
                chunk = next(chunks, None)
                if chunk is None:
                    break
                pending[pool.submit(run_seeds, chunk)] = chunk
            if not pending:
                return None
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                done += len(pending.pop(future))
                failure = future.result()
                if failure is not None:
                    pool.shutdown(cancel_futures=True)
                    return failure
            rate = done / (time.monotonic() - started)
            print(f"\r{done} of {len(seeds)} worlds, {rate:.0f} a second", end="", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, metavar="N", help="run this world and print its events")
    which.add_argument(
        "--seeds", type=read_seeds, metavar="FIRST:END", help="run these worlds, on all processors"
    )
    chosen = parser.parse_args(arguments)
    if chosen.seeds is None:
        return replay(chosen.seed)
    failure = run_all(chosen.seeds)
    print(f"\n{failure or 'all hold'}")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
