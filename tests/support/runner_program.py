"""A worker's program: ``python -m support.runner_program POOL SERVERS [NAME=VALUE]…``."""

import logging
import sys

from gear_worker.runner import RunnerSettings, run
from support.runner_apps import APPS


def main() -> int:
    """Run the app of a pool until a signal comes; 0 if all jobs have ended."""
    pool, servers, *options = sys.argv[1:]
    logging.basicConfig(level=logging.INFO)
    numbers = {name: float(value) for name, _, value in (word.partition("=") for word in options)}
    settings = RunnerSettings(
        servers=tuple(servers.split(",")),
        pool=pool,  # type: ignore[arg-type]  # checked by the settings themselves
        grace=numbers.get("grace", 60.0),
        concurrency=int(numbers.get("concurrency", 4)),
        max_jobs=int(numbers.get("max_jobs", 0)),
        max_memory=int(numbers.get("max_memory", 0)),
    )
    return 0 if run(APPS[pool], settings) else 1


if __name__ == "__main__":
    sys.exit(main())
