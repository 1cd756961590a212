"""The work itself; the same for every system that is compared."""

import random
import time

Found = dict[str, int | str]


class Flaky(Exception):
    """What one call in ten raises."""


def thumb(number: int, size: int) -> Found:
    """Keep a processor busy for some 10 ms."""
    total = 0
    for i in range(120_000):
        total += (number * i) % size
    if random.random() < 0.1:
        raise Flaky(f"picture {number}")
    return {"number": number, "total": total}


def fetch(url: str) -> Found:
    """Wait for 30 ms, as for a network."""
    time.sleep(0.03)
    if random.random() < 0.1:
        raise Flaky(url)
    return {"url": url, "bytes": len(url) * 100}


def sweep() -> str:
    """Say that it was called."""
    print("swept", time.strftime("%X"), flush=True)
    return "swept"
