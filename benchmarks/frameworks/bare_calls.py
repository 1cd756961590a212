"""gear without the worker command: `bare_worker`, for the jobs of `gear_calls`."""

from benchmarks.frameworks.gear_calls import MOST, calls, fill

__all__ = ["MOST", "WORKERS", "calls", "fill"]

WORKERS = {
    role: ["python", "-m", "benchmarks.frameworks.bare_worker", role]
    for role in ("threads", "tasks")
}
