"""Parses the command line of `geard`, using the tables in `options` and `foreign`."""

import argparse
from collections.abc import Iterator, Sequence
from typing import NoReturn

import msgspec

from gear_server.__about__ import __version__
from gear_server.geard.foreign import FOREIGN, FOREIGN_BY_SPELLING, gearmand_http_of, queue_of
from gear_server.geard.options import GROUPS, NOTES, OPTIONS
from gear_wire.errors import ConfigurationError
from gear_wire.option import Option


class Given(msgspec.Struct, frozen=True):
    """The options on a command line.

    Attributes:
        values: Their values by the names of their attributes.
        notes: A sentence for each that is ignored.
    """

    values: dict[str, object]
    notes: list[str]


class _Formatter(argparse.HelpFormatter):
    """Shows the name of an option's value once, after all its spellings."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        spellings = ", ".join(action.option_strings)
        return spellings if action.nargs == 0 else f"{spellings} {action.metavar}"


class _Parser(argparse.ArgumentParser):
    """Raises a one-line error where argparse would print the usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{message}; see geard --help")


class _TakeForeign(argparse.Action):
    """Translates or refuses a gearmand option, or notes why it is ignored."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        foreign = FOREIGN_BY_SPELLING[self.option_strings[0]]
        text = f"{values}" if foreign.metavar else ""
        accepted = foreign.taken or text.lower() in foreign.values
        if not accepted and (foreign.values or not foreign.translated):
            shown = f"{option_string} {text}".rstrip()
            raise ConfigurationError(f"{shown} is not supported: {foreign.reason}")
        if foreign.taken:
            namespace.notes.append(f"{option_string} is ignored: {foreign.reason}")
        elif foreign.translated:
            namespace.translated[foreign.spellings[-1]] = text


def _describe(option: Option) -> str:
    text = option.help.replace("`", "")
    if option.env:
        text += f"; environment variable: {option.env}"
    if option.program_default is not None and option.metavar:
        text += f" (default: {option.show(option.program_default)})"
    return text


def _add(group: argparse._ArgumentGroup, attribute: str, option: Option) -> None:
    text = _describe(option).replace("%", "%%")
    if option.metavar:
        group.add_argument(*option.spellings, dest=attribute, metavar=option.metavar, help=text)
    else:
        group.add_argument(
            *option.spellings, dest=attribute, action="store_const", const=True, help=text
        )


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser; its values are text, or True for switches."""
    parser = _Parser(
        prog="geard",
        usage="geard [OPTION]...",
        description="A Gearman job server. Without -d, it moves to the background as soon as it is "
        "listening.",
        epilog="gearmand's -q libsqlite3 --libsqlite3-db FILE means --queue sqlite:FILE, and its "
        "--protocol http --http-port PORT means --gearmand-http PORT. Its options for other "
        "persistent queues are not supported.",
        formatter_class=_Formatter,
        argument_default=argparse.SUPPRESS,
        add_help=False,
        allow_abbrev=False,
    )
    groups = {name: parser.add_argument_group(name, NOTES.get(name)) for name in GROUPS}
    groups[GROUPS[0]].add_argument("-h", "--help", action="help", help="show this help and exit")
    groups[GROUPS[0]].add_argument(
        "-V", "--version", action="version", version=f"geard {__version__}",
        help="show the version and exit",
    )  # fmt: skip
    for attribute, option in OPTIONS.items():
        _add(groups[option.group], attribute, option)
    without_effect = parser.add_argument_group("gearmand options that are accepted but ignored")
    for foreign in FOREIGN:
        without_effect.add_argument(
            *foreign.spellings,
            action=_TakeForeign,
            dest="notes",
            nargs=None if foreign.metavar else 0,
            metavar=foreign.metavar or None,
            help=foreign.reason if foreign.taken else argparse.SUPPRESS,
        )
    return parser


def parse(arguments: Sequence[str]) -> Given:
    """Parse a command line.

    Raises:
        ConfigurationError: It has an unknown option or an invalid value.
    """
    given = argparse.Namespace(notes=[], translated={})
    namespace = make_parser().parse_args(arguments, given)
    translated = {
        "queue": queue_of(namespace.translated),
        "gearmand_http": gearmand_http_of(namespace.translated),
    }
    values = {
        attribute: OPTIONS[attribute].from_text(text)
        for attribute, text in translated.items()
        if text is not None
    }
    return Given(values | dict(_convert(namespace)), namespace.notes)


def _convert(namespace: argparse.Namespace) -> Iterator[tuple[str, object]]:
    for attribute, value in vars(namespace).items():
        if attribute in OPTIONS:
            yield attribute, value if value is True else OPTIONS[attribute].from_text(value)
