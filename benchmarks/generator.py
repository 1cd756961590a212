"""The load generator: compiled on the spot from ``load/``, run once per figure."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import BUILD, SetupError, run

SOURCES = Path(__file__).parent / "load"
OPENSSL_HEADER = "openssl/ssl.h"
PATIENCE = 300.0
"""Seconds after which a run that goes on is ended; it ends itself long before."""


class LoadError(Exception):
    """The load generator counted wrong, or the server broke off."""


@dataclass(frozen=True)
class Count:
    """What one run counted.

    Attributes:
        jobs: Jobs within the measured time.
        seconds: The measured time.
        server_cpu: Seconds of processor time that the server used within it.
        own_cpu: And the load generator.
        p50: Median of the seconds from a submit to its result, or to its JOB_CREATED in the
            background; 0 where nothing is submitted.
        p99: The time that 99 of 100 took at most.
    """

    jobs: int
    seconds: float
    server_cpu: float
    own_cpu: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Jobs per second."""
        return self.jobs / self.seconds

    @property
    def cost(self) -> float:
        """Seconds of the server's processor time per job."""
        return self.server_cpu / self.jobs


def compile_load() -> Path:
    """Compile the load generator and return its path.

    Raises:
        SetupError: There is no C compiler, or no header of OpenSSL.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise SetupError("cc is not here: Debian's package gcc brings it")
    probe = subprocess.run(
        [compiler, "-E", "-x", "c", "-", "-o", "/dev/null"],
        input=f"#include <{OPENSSL_HEADER}>\n", text=True, capture_output=True, check=False,
    )  # fmt: skip
    if probe.returncode:
        raise SetupError(f"{OPENSSL_HEADER} is not here: Debian's package libssl-dev brings it")
    BUILD.mkdir(exist_ok=True)
    program = BUILD / "load"
    flags = ["-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE"]
    sources = [str(path) for path in sorted(SOURCES.glob("*.c"))]
    run([compiler, *flags, *sources, "-o", str(program), "-lssl", "-lcrypto"])
    return program


def run_load(program: Path, role: str, options: dict[str, object]) -> Count:
    """Run the load generator once.

    Args:
        program: Where it was compiled to.
        role: ``foreground``, ``background`` or ``drain``.
        options: As in ``load/options.h``.

    Raises:
        LoadError: It counted wrong, a payload changed, or the server broke off.
    """
    words = [f"{name}={value}" for name, value in options.items()]
    try:
        result = subprocess.run(
            [program, role, *words],
            capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"the load generator does not end: {role} {words}") from error
    if result.returncode:
        raise LoadError(result.stderr.strip() or f"the load generator ended: {result.returncode}")
    count = Count(**json.loads(result.stdout))
    if not count.jobs:
        raise LoadError(f"no job came back within {count.seconds:.1f} s")
    return count
