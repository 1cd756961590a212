"""How the program manages its memory, each in a process of its own: it is for all of a process."""

import platform
import subprocess
import sys

import pytest

GLIBC = platform.libc_ver()[0] == "glibc"
RESIDENT = """
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

from gear_server.geard import memory
memory.keep_heap() if {kept} else None
before = resident()
large = bytearray(6 << 20)
del large
print(resident() - before >= 6 << 20)
"""


def output(program: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return run.stdout.strip()


def test_the_collector_looks_less_often() -> None:
    program = """
import gc
from gear_server.geard import memory
usual = gc.get_threshold()[0]
memory.relax_collector()
print(gc.get_threshold()[0] >= 10 * usual, gc.get_freeze_count() > 0)
"""
    assert output(program) == "True True"


@pytest.mark.skipif(not GLIBC, reason="needs glibc: other C libraries cannot be told")
@pytest.mark.parametrize("kept", [True, False])
def test_what_a_large_payload_used_is_kept(kept: bool) -> None:
    assert output(RESIDENT.format(kept=kept)) == str(kept)
