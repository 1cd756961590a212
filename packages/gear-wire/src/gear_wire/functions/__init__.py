"""Typed functions: what clients call and workers run, described once for both."""

from gear_wire.functions.app import App
from gear_wire.functions.current import CurrentJob, Reports, current_job
from gear_wire.functions.execution import Middleware, Outcome, run, run_async
from gear_wire.functions.failures import InvalidArgumentsError, RemoteError
from gear_wire.functions.function import CallOptions, Function, FunctionOptions, StreamFunction
from gear_wire.functions.lifespan import Lifespan
from gear_wire.functions.retries import Retries
from gear_wire.functions.schedule import Every

__all__ = [
    "App",
    "CallOptions",
    "CurrentJob",
    "Every",
    "Function",
    "FunctionOptions",
    "InvalidArgumentsError",
    "Lifespan",
    "Middleware",
    "Outcome",
    "RemoteError",
    "Reports",
    "Retries",
    "StreamFunction",
    "current_job",
    "run",
    "run_async",
]
