"""One setting of a program: its type, default, range, help and spellings, written once.

The settings themselves are structs: those of the server and of geard, and those of the runner.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from gear_wire.errors import ConfigurationError

_MIB: Final = 1 << 20


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """How one attribute of a struct of settings is given; it stands in the attribute's type.

    Attributes:
        group: The heading under which the program's ``--help`` lists it; empty if the program does
            not take it and always uses its own default.
        help: What it does, in lower case and without a full stop.
        short: Its one-letter spelling, such as ``-p``.
        long: Its long name, if that is not the attribute's.
        aliases: More long names.
        metavar: What the help calls its value; empty for a switch.
        env: The environment variable that gives it when nothing else does.
        implies: The switch that it turns on, unless that is given too. The environment variable
            counts only when the switch is on.
        expected: What is right, where the type does not say it.
        read: Turns text, wherever it comes from, into something that the type can be made of.
        in_files: Whether a configuration file may give it.
        program: The default of the program, where it differs from that of the struct.
        example: A value for the sample configuration file, if there is no default to show.
        attribute: The attribute that it describes; like the next two, taken from the struct.
        type: What its value must be.
        default: Its value when nothing gives it.
    """

    group: str
    help: str
    short: str = ""
    long: str = ""
    aliases: tuple[str, ...] = ()
    metavar: str = ""
    env: str = ""
    implies: str = ""
    expected: str = ""
    read: Callable[[str], object] = str
    in_files: bool = True
    program: object = msgspec.UNSET
    example: object = None
    attribute: str = ""
    type: object = None
    default: object = None

    @property
    def name(self) -> str:
        """Its long name, which is its key in a configuration file."""
        return self.long or self.attribute.replace("_", "-")

    @property
    def spellings(self) -> list[str]:
        """The option as it is written on a command line, the short form first."""
        long = [f"--{name}" for name in (self.name, *self.aliases)]
        return [self.short, *long] if self.short else long

    @property
    def program_default(self) -> object:
        """Its value in the program when nothing gives it."""
        return self.default if self.program is msgspec.UNSET else self.program

    def show(self, value: object) -> str:
        """Return a value as the help shows it."""
        if self.metavar == "BYTES" and isinstance(value, int) and value and not value % _MIB:
            return f"{value // _MIB} MiB"
        return str(value)

    def from_text(self, text: str) -> object:
        """Return the value that text stands for; raises ConfigurationError for a bad one."""
        return self._convert(self.name, text, strict=False)

    def from_value(self, value: object) -> object:
        """Return a value of a configuration file, which has a type; raises ConfigurationError."""
        return self._convert(self.name, value, strict=True)

    def check(self, value: object) -> object:
        """Return a value that a program gives.

        Raises:
            TypeError: It has the wrong type.
            ConfigurationError: It is out of range.
        """
        try:
            return self._convert(self.attribute, value, strict=True)
        except ConfigurationError as error:
            if any(_holds(kind, value) for kind in _kinds(self.type)):
                raise
            raise TypeError(str(error)) from None

    def _convert(self, name: str, value: object, strict: bool) -> object:
        given = self.read(value) if isinstance(value, str) else value
        # The strict way first: it leaves text alone where text is wanted.
        for way in (True,) if strict else (True, False):
            try:
                converted: object = msgspec.convert(given, self.type, strict=way)
            except msgspec.ValidationError:
                continue
            return converted
        expected = self.expected or describe(self.type)
        raise ConfigurationError(f"{name} must be {expected}, not {value!r}")


@functools.cache
def options_of(struct: type[msgspec.Struct]) -> Mapping[str, Option]:
    """Return the options of a struct by the names of its attributes."""
    options = {}
    for field in msgspec.structs.fields(struct):
        for note in getattr(field.type, "__metadata__", ()):
            if isinstance(note, Option):
                options[field.name] = msgspec.structs.replace(
                    note, attribute=field.name, type=field.type, default=field.default
                )
    return options


def document(struct: type[msgspec.Struct], program: str) -> None:
    """Add the help of the options to the docstring of a struct, as its attributes.

    Args:
        struct: The settings.
        program: The program whose defaults may differ.
    """
    lines = [str(struct.__doc__).rstrip(), "", "    Attributes:"]
    for attribute, option in options_of(struct).items():
        text = f"{option.help[0].upper()}{option.help[1:]}"
        if option.default is not None:
            text += f"; by default {option.show(option.default)}"
        if option.program_default != option.default:
            text += f", in `{program}` {option.show(option.program_default)}"
        lines.append(f"        {attribute}: {text}.")
    struct.__doc__ = "\n".join(lines) + "\n    "


def _kinds(kind: object) -> tuple[msgspec.inspect.Type, ...]:
    info = msgspec.inspect.type_info(kind)
    return info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)


def _holds(kind: msgspec.inspect.Type, value: object) -> bool:
    """Return whether a value is of the right kind, if out of range."""
    match kind:
        case msgspec.inspect.BoolType():
            return isinstance(value, bool)
        case msgspec.inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case msgspec.inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return isinstance(value, str)


def describe(kind: object) -> str:
    """Describe the values of a type."""
    info = _kinds(kind)[0]
    match info:
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.LiteralType(values):
            return f"one of {', '.join(map(str, values))}"
        case (
            msgspec.inspect.IntType(ge=least, le=most)
            | msgspec.inspect.FloatType(ge=least, le=most)
        ):
            noun = "a whole number" if isinstance(info, msgspec.inspect.IntType) else "a number"
            if most is not None:
                return f"{noun} from {least} to {most}"
            return noun if least is None else f"{noun} of at least {least}"
        case _:
            return "a non-empty string"
