"""The jobs that a command line asks for: their function, their data, and how they are submitted."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import click

from gear_wire.cli.command import Target

R = TypeVar("R")


class Request:
    """The jobs that a command line asks for.

    Args:
        function: The function.
        data: The data of each job; ``-`` for standard input.
        lines: Whether each line of standard input is the data of a job.
        arguments: The arguments of a typed function, as JSON.
        unique: The key of the job; None for none.
        high: Whether they come before jobs of normal precedence.
        low: Whether they come after those.

    Attributes:
        function: As given, as bytes.
        unique: As given, as bytes.
        precedence: PRECEDENCE_NORMAL, PRECEDENCE_LOW or PRECEDENCE_HIGH.
        is_normal: Whether their precedence is neither high nor low.
        many: Whether it may be more than one job.
        typed: Whether it is for a typed function: each part of its data is an item.

    Raises:
        UsageError: The options contradict each other, or the arguments are not JSON.
        InvalidDataError: The function or the key cannot be sent.
        OSError: Standard input cannot be read.
    """

    def __init__(
        self,
        function: str,
        data: tuple[str, ...],
        lines: bool,
        arguments: str | None,
        unique: str | None,
        high: bool,
        low: bool,
    ) -> None:
        from gear_wire.constants import PRECEDENCE_HIGH, PRECEDENCE_LOW, PRECEDENCE_NORMAL
        from gear_wire.jobs import to_function_name, to_unique_key

        if lines + (arguments is not None) + bool(data) > 1:
            raise click.UsageError("DATA, --lines and --args exclude each other")
        if high and low:
            raise click.UsageError("--high and --low exclude each other")
        self.many: bool = lines or len(data) > 1
        self.typed: bool = arguments is not None
        if self.many and unique is not None:
            raise click.UsageError("--unique is for one job: several would be merged")
        self.function: bytes = to_function_name(os.fsencode(function))
        self.unique: bytes | None = None if unique is None else to_unique_key(os.fsencode(unique))
        self.precedence: int = (
            PRECEDENCE_HIGH if high else PRECEDENCE_LOW if low else PRECEDENCE_NORMAL
        )
        self.is_normal: bool = not high and not low
        self._payloads: list[bytes] | None = None
        if arguments is not None:
            self._payloads = [_check_arguments(os.fsencode(arguments))]
        elif not lines:
            self._payloads = _read(data)

    def payloads(self) -> AsyncIterator[bytes]:
        """Return the data of the jobs, one after the other; for one reader, in a loop."""
        from gear_client.cli import payloads

        if self._payloads is None:
            return payloads.lines(sys.stdin.fileno())
        return payloads.given(self._payloads)


def _check_arguments(arguments: bytes) -> bytes:
    import msgspec

    try:
        value: object = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--args is not JSON: {error}") from None
    if not isinstance(value, dict | list):
        raise click.UsageError("--args is an object of arguments by name, or an array of them")
    return arguments


def _read(data: tuple[str, ...]) -> list[bytes]:
    if data.count("-") > 1:
        raise click.UsageError("- stands for all of standard input, and can be given only once")
    return [sys.stdin.buffer.read() if each == "-" else os.fsencode(each) for each in data or ("",)]


def request_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command what says which jobs it is about, and a `Request` as its second argument."""

    def run(
        target: Target,
        function: str,
        data: tuple[str, ...],
        lines: bool,
        arguments: str | None,
        unique: str | None,
        high: bool,
        low: bool,
        **others: object,
    ) -> R:
        request = Request(function, data, lines, arguments, unique, high, low)
        return command(target, request, **others)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__dict__.update(command.__dict__)
    options = (
        click.argument("function"),
        click.argument("data", nargs=-1, metavar="[DATA]..."),
        click.option(
            "--lines", is_flag=True, help="Each line of standard input is the data of a job."
        ),
        click.option(
            "--args", "arguments", metavar="JSON",
            help="The arguments of a typed function: an object by name, or an array.",
        ),
        click.option(
            "--unique", metavar="KEY",
            help="If the server has a job with this key, that one is meant: no other is made.",
        ),
        click.option("--high", is_flag=True, help="Before the jobs of normal precedence."),
        click.option("--low", is_flag=True, help="After the jobs of normal precedence."),
    )  # fmt: skip
    made: Callable[..., R] = run
    for option in reversed(options):
        made = option(made)
    return made
