"""Run the functions of an app: in threads, processes or tasks, for one or more servers."""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gear_worker.runner.background import BackgroundRunner
    from gear_worker.runner.blocking import run
    from gear_worker.runner.runner import Runner, running
    from gear_worker.runner.settings import RunnerSettings
    from gear_worker.runner.status import FunctionCounts, RunnerStatus

__all__ = [
    "BackgroundRunner",
    "FunctionCounts",
    "Runner",
    "RunnerSettings",
    "RunnerStatus",
    "run",
    "running",
]

# Loaded when they are named: gear-worker --help needs the settings alone.
_HOMES: Final = {
    "BackgroundRunner": "background",
    "FunctionCounts": "status",
    "Runner": "runner",
    "RunnerSettings": "settings",
    "RunnerStatus": "status",
    "run": "blocking",
    "running": "runner",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
