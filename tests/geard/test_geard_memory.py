"""geard gives memory back to the system after a burst."""

import subprocess
import sys

import pytest

BURST = """
import sys
from gear_server.geard import memory
from gear_server.network.resident import resident

memory.keep_heap()
used, done = 0, 0
trimmer = memory.Trimmer(lambda: used, lambda: done)
start = resident()
jobs = [bytes(1024) for _ in range(200_000)]
used = 200_000 * 1400
trimmer.check()
assert resident() > start + (180 << 20)
last, used, done = jobs[-1], 0, 1  # what is above the others keeps them all
del jobs
{steps}
print(resident() - start)
"""
BUSY = "for done in range(2, {checks} + 2):\n    trimmer.check()"


def left_after(steps: str) -> int:
    script = BURST.format(steps=steps)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return int(run.stdout)


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc has the function")


def test_memory_is_given_back_when_no_more_jobs_come() -> None:
    assert left_after("trimmer.check(); trimmer.check()") < 32 << 20


def test_a_busy_server_gives_it_back_later() -> None:
    assert left_after(BUSY.format(checks=5)) > 180 << 20
    assert left_after(BUSY.format(checks=6)) < 32 << 20


def test_what_cannot_be_given_back_is_not_tried_again() -> None:
    steps = "import ctypes\ntrimmer.check(); trimmer.check()\n"
    again = "memory.ctypes = None; trimmer.check(); trimmer.check()"
    assert left_after(steps + again) < 32 << 20
