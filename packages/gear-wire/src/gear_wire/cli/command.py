"""The commands of one program: options that all have, errors in one line, exit codes."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal, NoReturn, ParamSpec, TextIO, TypeVar

import click

from gear_wire.cli.exits import Exit, describe, exit_of, one_line
from gear_wire.cli.numbers import Number
from gear_wire.cli.servers import VARIABLE, server_addresses, split_servers
from gear_wire.errors import GearmanError

if TYPE_CHECKING:
    from gear_wire.link.address import ServerAddress

P = ParamSpec("P")
R = TypeVar("R")
SERVER_TIMEOUT: Final = 30.0
"""Seconds to wait for a server, unless told otherwise."""


class Target:
    """Where a command goes: the servers and how long to wait.

    Attributes:
        servers: The servers, at least one.
        timeout: Seconds to wait for a server.
        limit: Seconds to wait for the end of a job; None for no limit.
    """

    def __init__(self, servers: "list[ServerAddress]", timeout: float | None) -> None:
        self.servers: list[ServerAddress] = servers
        self.timeout: float = SERVER_TIMEOUT if timeout is None else timeout
        self.limit: float | None = timeout


def _target(
    context: click.Context,
    servers: Sequence[str],
    ssl_key: str | None,
    ssl_cert: str | None,
    ssl_ca: str | None,
    timeout: float | None,
) -> Target:
    named = list(servers) or split_servers(os.environ.get(VARIABLE, ""))
    try:
        return Target(server_addresses(named, ssl_key, ssl_cert, ssl_ca), timeout)
    except GearmanError as error:
        raise click.UsageError(describe(error), context) from error


def server_options(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options that say where it goes, and a `Target` as its first argument."""
    return _targeted(function, f"How long to wait for a server.  [default: {SERVER_TIMEOUT:g}]")


def job_options(function: Callable[..., R]) -> Callable[..., R]:
    """Do what `server_options` does for a command that waits for jobs, too."""
    return _targeted(
        function,
        f"How long to wait for a server, and for a job.  [default: {SERVER_TIMEOUT:g}, none]",
    )


def _targeted(function: Callable[..., R], timeout_help: str) -> Callable[..., R]:
    def run(
        server: Sequence[str],
        ssl_key: str | None,
        ssl_cert: str | None,
        ssl_ca: str | None,
        timeout: float | None,
        **others: object,
    ) -> R:
        context = click.get_current_context()
        return function(_target(context, server, ssl_key, ssl_cert, ssl_ca, timeout), **others)

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__dict__.update(function.__dict__)
    path = click.Path(dir_okay=False)
    options = (
        click.option(
            "-s", "--server", multiple=True, metavar="HOST[:PORT]",
            help=f"A job server; may be given several times.  [default: {VARIABLE}, or localhost]",
        ),
        click.option("--ssl-key", type=path, metavar="FILE", help="Private key, for TLS."),
        click.option("--ssl-cert", type=path, metavar="FILE", help="Certificate of this client."),
        click.option("--ssl-ca", type=path, metavar="FILE", help="Certificates of the authority."),
        click.option(
            "--timeout", type=Number(0), metavar="SECONDS", help=timeout_help,
        ),
    )  # fmt: skip
    command: Callable[..., R] = run
    for option in reversed(options):
        command = option(command)
    return command


def examples(*commands: str) -> str:
    """Return the end of a ``--help``: commands as one would type them."""
    return "\n".join(("\b", "Examples:", *(f"  {command}" for command in commands)))


class Commands(click.Group):
    """A program's commands, listed in the order in which they were written."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names as they were added."""
        return list(self.commands)

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; one that there is not is named with those there are."""
        if self.get_command(context, arguments[0]) is None and not arguments[0].startswith("-"):
            known = ", ".join(self.list_commands(context))
            context.fail(f"there is no command {arguments[0]!r}; the commands are {known}")
        return super().resolve_command(context, arguments)


def run(program: click.Command, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a program, and return its exit code: errors are one line on standard error.

    Args:
        program: Its commands.
        name: What it calls itself.
        arguments: The command line without the program's name; by default, that of the process.
    """
    # What a library logs of connections is for programs; a person is told how the command ended.
    logging.getLogger("gear").addHandler(logging.NullHandler())
    given = sys.argv[1:] if arguments is None else list(arguments)
    _open_closed_streams()
    try:
        code = _invoke(program, name, given)
        sys.stdout.flush()
    except click.ClickException as error:
        code = _misused(name, error)
    except (click.Abort, KeyboardInterrupt):
        discard_output()
        code = 130
    except BrokenPipeError:
        discard_output()
        code = Exit.OK
    except (GearmanError, OSError) as error:
        code = _say(name, describe(error), exit_of(error))
    return code


def _open_closed_streams() -> None:
    """Give a program that was started without one of the standard streams an empty one."""

    def empty(mode: Literal["r", "w"]) -> TextIO:
        # It stays open until the program ends.
        return open(os.open(os.devnull, os.O_RDWR), mode, closefd=False)

    sys.stdin = sys.stdin or empty("r")
    sys.stdout = sys.stdout or empty("w")
    sys.stderr = sys.stderr or empty("w")


def discard_output() -> None:
    """Have nothing written any more: nobody reads, or who should does not, and writing waits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _invoke(program: click.Command, name: str, arguments: list[str]) -> int:
    """Do what `click.Command.main` does, which has its own ways with Ctrl-C and broken pipes."""
    variable = completion_variable(name)
    instruction = os.environ.get(variable)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(program, {}, name, variable, instruction)
    try:
        with program.make_context(name, arguments) as context:
            ended: object = program.invoke(context)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    return ended if isinstance(ended, int) else Exit.OK


def completion_variable(name: str) -> str:
    """Return the variable by which a shell's completion script asks a program."""
    return f"_{name}_COMPLETE".replace("-", "_").upper()


def _misused(name: str, error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return Exit.USAGE
    text = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        text = f"{text.rstrip('.')}; see {error.ctx.command_path} --help"
    return _say(name, text, Exit.USAGE)


def _say(name: str | None, text: str, code: int) -> int:
    click.echo(f"{name}: {one_line(text)}", err=True)
    return code


def complain(text: str) -> None:
    """Write a line on standard error that begins with the program's name, and go on."""
    _say(click.get_current_context().find_root().info_name, text, Exit.OK)


def fail(text: str, code: Exit) -> NoReturn:
    """End a command with a line on standard error and an exit code."""
    complain(text)
    raise click.exceptions.Exit(code)


def completion_option(command: Callable[..., R]) -> Callable[..., R]:
    """Give a program the option ``--completion``, which writes what a shell is to be told."""

    def write(context: click.Context, option: click.Parameter, shell: str | None) -> None:
        if shell is None:
            return
        from click.shell_completion import get_completion_class

        name = context.info_name or ""
        found = get_completion_class(shell)
        if found is not None:
            click.echo(found(context.command, {}, name, completion_variable(name)).source())
        context.exit()

    return click.option(
        "--completion", type=click.Choice(("bash", "zsh", "fish")), is_eager=True,
        expose_value=False, callback=write, help="Write the shell's completion script, and exit.",
    )(command)  # fmt: skip
