"""What the figures were taken on: processor, kernel, interpreters and versions."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

from benchmarks.environments import run
from benchmarks.servers import find_gearmand, find_redis

_ASK = """
import importlib.metadata as metadata, json, sys, sysconfig
names = (
    "gear", "gear-server", "uvloop", "msgspec", "python3-gearman",
    "celery", "rq", "dramatiq", "taskiq", "taskiq-redis", "redis",
)
found = {d.name: d.version for d in metadata.distributions()}
print(json.dumps({
    "python": sys.version.split("\\n")[0],
    "configured": sysconfig.get_config_var("CONFIG_ARGS") or "",
    "versions": " ".join(f"{name} {found[name]}" for name in names if name in found),
}))
"""


def describe_machine() -> dict[str, object]:
    """Return processor, cores, kernel and C library of this machine."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "processor": processor[1] if processor else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
    }


def describe_python(interpreter: Path) -> dict[str, object]:
    """Return version, build and packages of an interpreter."""
    said = json.loads(run([str(interpreter), "-c", _ASK]))
    return {
        "python": said["python"],
        "build": _build(interpreter, said["configured"]),
        "versions": said["versions"],
    }


def _build(interpreter: Path, configured: str) -> str:
    if "--enable-optimizations" in configured:
        return "built with optimizations (--enable-optimizations)"
    base = interpreter.resolve()
    owner = subprocess.run(
        ["dpkg", "--search", str(base)], capture_output=True, text=True, check=False
    )
    # Debian's rules run the profile-guided build themselves: configure does not hear of it.
    if owner.returncode == 0:
        return f"Debian's package {owner.stdout.split(':')[0]}, built with optimizations"
    return "built WITHOUT optimizations: figures of it are not those that users see"


def describe_gearmand() -> str:
    """Return what gearmand says of its version; says so when it is not here."""
    program = find_gearmand()
    return "not here" if program is None else run([program, "--version"]).split(" - ")[0].strip()


def describe_redis() -> str:
    """Return what Redis says of its version; says so when it is not here."""
    program = find_redis()
    return "not here" if program is None else " ".join(run([program, "--version"]).split()[:3])
