"""The options of ``gear-worker``: the settings of a runner, and those of the program alone."""

import types
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gear_wire.errors import ConfigurationError
from gear_wire.option import Option, options_of
from gear_worker.cli.addresses import check_health, check_metrics
from gear_worker.runner.settings import LIMITS, SERVERS, WORK, YEAR, RunnerSettings, Text

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]
WHAT, WATCH, LOG, OTHER = "What to do", "Supervision", "Log", "Other"
GROUPS: Final = (WHAT, SERVERS, WORK, LIMITS, WATCH, LOG, OTHER)


# fmt: off
# One paragraph per option, as a table.
class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of ``gear-worker``.

    Attributes:
        settings: Those of the runner.
    """

    exec: Annotated[Text | None, Option(
        group=WHAT, metavar="FUNCTION", in_files=False,
        help="run a program for each job of this function, instead of an app: the payload is its "
        "standard input, its standard output the result, each line on standard error a warning, "
        "an exit code other than 0 a failure",
    )] = None
    stream: Annotated[bool, Option(
        group=WHAT, in_files=False,
        help="with --exec: send the output as it comes, instead of whole at the end",
    )] = False
    timeout: Annotated[Annotated[float, Meta(gt=0, le=YEAR)] | None, Option(
        group=WHAT, metavar="SECONDS", env="GEAR_WORKER_TIMEOUT",
        help="with --exec: how long the program may run before it is ended and its job has failed",
        expected="a number of seconds above 0",
        example=600,
    )] = None
    schedule: Annotated[bool, Option(
        group=WHAT, env="GEAR_WORKER_SCHEDULE",
        help="also submit the jobs of the app's schedule; more than one worker may do so",
    )] = False
    check: Annotated[bool, Option(
        group=WHAT, in_files=False,
        help="import and check the app, list its functions, and exit",
    )] = False
    schema: Annotated[bool, Option(
        group=WHAT, in_files=False,
        help="print what the app's functions take and return, as components of OpenAPI 3.1, and "
        "exit",
    )] = False
    json: Annotated[bool, Option(
        group=WHAT, in_files=False,
        help="with --check: list the functions as lines of JSON",
    )] = False

    health: Annotated[Text | None, Option(
        group=WATCH, metavar="HOST:PORT|FILE", env="GEAR_WORKER_HEALTH", read=check_health,
        help="serve /healthz and /readyz here, or touch this file every two seconds, while the "
        "worker takes jobs",
        example="127.0.0.1:8080",
    )] = None
    metrics: Annotated[Text | None, Option(
        group=WATCH, metavar="HOST:PORT", env="GEAR_WORKER_METRICS", read=check_metrics,
        help="serve /metrics for Prometheus here; may be the address of --health",
        example="127.0.0.1:8080",
    )] = None
    reload: Annotated[bool, Option(
        group=WATCH, env="GEAR_WORKER_RELOAD", in_files=False,
        help="restart when Python source below the current directory changes, for development",
    )] = False

    log_level: Annotated[LogLevel, Option(
        group=LOG, metavar="LEVEL", env="GEAR_WORKER_LOG_LEVEL", read=str.lower,
        help="minimum level to log: debug, info, warning, error or critical",
    )] = "info"
    log_format: Annotated[LogFormat, Option(
        group=LOG, metavar="FORMAT", env="GEAR_WORKER_LOG_FORMAT", read=str.lower,
        help="text, or json: one object a line, with function, handle and unique as fields",
    )] = "text"

    config: Annotated[Text | None, Option(
        group=OTHER, metavar="FILE", env="GEAR_WORKER_CONFIG", in_files=False,
        help="TOML configuration file: a table [gear-worker] whose keys are the long options "
        "without the dashes; the command line takes precedence",
    )] = None

    settings: RunnerSettings = RunnerSettings()
# fmt: on


OPTIONS: Final[Mapping[str, Option]] = types.MappingProxyType(
    {**options_of(Options), **options_of(RunnerSettings)}
)
"""Every option by the name of its attribute."""
BY_KEY: Final[Mapping[str, str]] = {option.name: name for name, option in OPTIONS.items()}
"""The attribute for every long name."""


def settle(
    line: Mapping[str, object], file: Mapping[str, object], environ: Mapping[str, str]
) -> Options:
    """Return all options; the command line counts most, then the file, then the environment.

    Args:
        line: Those of the command line, by the names of their attributes.
        file: Those of the configuration file.
        environ: The environment.

    Raises:
        ConfigurationError: A value is invalid.
    """
    values = {**from_environment(environ), **file, **line}
    program = {name: values.pop(name) for name in options_of(Options) if name in values}
    settings = msgspec.structs.replace(RunnerSettings(), **values)
    return msgspec.convert(program | {"settings": settings}, Options)


def from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the options that the environment gives; an empty variable gives none.

    Raises:
        ConfigurationError: A value is invalid.
    """
    values = {}
    for attribute, option in OPTIONS.items():
        text = environ.get(option.env) if option.env else None
        if text:
            try:
                values[attribute] = option.from_text(text)
            except ConfigurationError as error:
                raise ConfigurationError(f"environment variable {option.env}: {error}") from error
    return values
