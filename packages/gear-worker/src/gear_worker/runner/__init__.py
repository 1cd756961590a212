"""Run the functions of an app: in threads, processes or tasks, for one or more servers."""

from gear_worker.runner.blocking import run
from gear_worker.runner.runner import Runner, running
from gear_worker.runner.settings import RunnerSettings
from gear_worker.runner.status import FunctionCounts, RunnerStatus

__all__ = ["FunctionCounts", "Runner", "RunnerSettings", "RunnerStatus", "run", "running"]
