"""The command line of ``gear-worker``; what it does is in `program` and its neighbours."""

import importlib.util
import os
from collections.abc import Sequence
from typing import Final, Literal, get_args, get_origin

import click

from gear_wire.cli.command import completion_option, fail, run
from gear_wire.cli.exits import Exit, describe
from gear_wire.errors import ConfigurationError
from gear_wire.option import Option
from gear_worker.__about__ import __version__
from gear_worker.cli.options import GROUPS, OPTIONS, OTHER, Options, settle

NAME: Final = "gear-worker"
_DESCRIPTION: Final = """\
Run the functions of an app as a Gearman worker: the attribute APP ("app" by default) of MODULE,
which is looked for in the current directory too. Or, with --exec, run a program for each job.

SIGTERM and SIGINT stop it: it takes no more jobs, and those that run may end within --grace.
A second signal stops it at once.

What the command line does not give is taken from the file --config, then from the environment:
--grace from GEAR_WORKER_GRACE and so on, the servers from GEARMAN_SERVERS, with commas between.
"""
_USAGE: Final = """\
Usage: gear-worker [OPTION]... MODULE[:APP]
       gear-worker [OPTION]... --exec FUNCTION -- COMMAND...
"""
_EXAMPLES: Final = """\
Examples:
  gear-worker jobs                        run the functions of jobs.app
  gear-worker jobs -s one -s two -c 40    for two servers, 40 jobs at a time
  gear-worker jobs --pool processes -c 4  what keeps processors busy
  gear-worker jobs --schedule             submit what is due, too
  gear-worker jobs --health :8080 --metrics :8080 --log-format json
  gear-worker jobs --check                list the functions
  gear-worker --exec resize -- convert - -resize 200x200 png:-

Exit codes:
    0  stopped, and all jobs have ended
    1  failed, or jobs went back to their servers
    2  wrong usage
  130  interrupted with Ctrl-C before it had started
A worker whose servers are away is no failure: it connects when they are back.
"""


class _Command(click.Command):
    """Lists options under headings, and examples as they are written."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Keep what comes after ``--`` apart: a program, and not the app."""
        end = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(context, args[:end])
        context.params["program"] = args[end + 1 :]
        return rest

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group."""
        rows: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
        for parameter in self.get_params(context):
            row = parameter.get_help_record(context)
            if row is not None and isinstance(parameter, click.Option):
                option = OPTIONS.get(parameter.name or "")
                rows[option.group if option else OTHER].append(row)
        for group, listed in rows.items():
            with formatter.section(group):
                formatter.write_dl(listed)

    def format_usage(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both ways to call it."""
        formatter.write(_USAGE)

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        formatter.write(f"\n{_EXAMPLES}")


def _help(option: Option) -> str:
    text = f"{option.help[0].upper()}{option.help[1:]}."
    if not option.metavar or option.default in (None, ()):
        return text
    default = option.default
    return f"{text}  [default: {f'{default:g}' if isinstance(default, float) else default}]"


def _parameter(attribute: str, option: Option) -> click.Option:
    names = [*option.spellings, attribute]
    if not option.metavar:
        return click.Option(names, is_flag=True, help=_help(option))
    kind: click.ParamType[object] = click.STRING
    if get_origin(option.type) is Literal:
        kind = click.Choice(get_args(option.type), case_sensitive=False)
    elif "FILE" in option.metavar:
        kind = click.Path()
    return click.Option(
        names, metavar=option.metavar, type=kind, multiple=attribute == "servers",
        help=_help(option),
    )  # fmt: skip


def _read(given: dict[str, object]) -> Options:
    line: dict[str, object] = {}
    for attribute, value in given.items():
        option = OPTIONS[attribute]
        if isinstance(value, tuple) and value:
            line[attribute] = option.from_text(",".join(value))
        elif isinstance(value, str):
            line[attribute] = option.from_text(value)
        elif value is True:
            line[attribute] = True
    from gear_worker.cli.configfile import read_toml

    file = line.get("config") or os.environ.get(str(OPTIONS["config"].env))
    return settle(line, read_toml(str(file)) if file else {}, os.environ)


_WITH_EXEC: Final = ("stream", "timeout")
_WITH_APP: Final = ("schedule", "check", "schema", "json", "reload")
_LIBRARIES: Final = {"metrics": "prometheus_client", "reload": "watchfiles"}


def _why_no_app(options: Options, words: Sequence[str]) -> str:
    """Return why no app can be run with these options; empty if one can."""
    unfit = [name for name in _WITH_EXEC if getattr(options, name)]
    if unfit:
        return f"--{unfit[0]} goes with --exec"
    if options.check and options.schema:
        return "--check and --schema do not go together"
    if options.json and not options.check:
        return "--json goes with --check"
    return "" if len(words) == 1 else "name one app as MODULE:APP, or a program with --exec"


def _why_no_program(options: Options, words: Sequence[str], program: Sequence[str]) -> str:
    """Return why no program can be run with these options; empty if one can."""
    unfit = [name for name in _WITH_APP if getattr(options, name)]
    if unfit:
        return f"--{unfit[0]} does not go with --exec"
    if not program:
        return "--exec needs a program: --exec FUNCTION -- COMMAND"
    return f"{words[0]!r} does not go with --exec, which runs no app" if words else ""


def _main(words: Sequence[str], program: Sequence[str], **given: object) -> int:
    context = click.get_current_context()
    try:
        options = _read(given)
    except ConfigurationError as error:
        raise click.UsageError(describe(error), context) from error
    if options.exec is None:
        why = _why_no_app(options, [*words, *program])
    else:
        why = _why_no_program(options, words, program)
    if why:
        raise click.UsageError(why, context)
    for name, module in _LIBRARIES.items():
        if getattr(options, name) and importlib.util.find_spec(module) is None:
            fail(f"--{name} needs {module}: pip install '{NAME}[{name}]'", Exit.USAGE)
    # Loaded now, since --help and --version need nothing of it.
    from gear_worker.cli.program import run_app, run_program
    from gear_worker.cli.reload import run_reloading

    if options.exec is not None:
        return run_program(options, options.exec, program)
    if options.reload:
        return run_reloading(options)
    return run_app(words[0], options)


def make_command() -> click.Command:
    """Return the command, with all its options."""
    parameters: list[click.Parameter] = [
        click.Argument(["words"], nargs=-1, type=click.UNPROCESSED, metavar="MODULE:APP")
    ]
    parameters += [_parameter(attribute, option) for attribute, option in OPTIONS.items()]
    command = _Command(
        NAME, callback=_main, params=parameters, help=_DESCRIPTION,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        options_metavar="[OPTION]...",
    )  # fmt: skip
    version = click.version_option(__version__, "-V", "--version", message=f"{NAME} {__version__}")
    completion_option(version(command))
    return command


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run the program, and return its exit code.

    Args:
        arguments: The command line without the program's name; by default, that of the process.
    """
    return run(make_command(), NAME, arguments)
