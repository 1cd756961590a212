"""One option of `geard`: its spellings and its values; all of them are in `options`."""

from collections.abc import Callable

import msgspec

from gear_wire.errors import ConfigurationError


class Option(msgspec.Struct, frozen=True):
    """How one attribute of `Options` is given; the last three are taken from the attribute.

    Attributes:
        group: Under which heading the help lists it.
        help: What it does.
        short: Its spelling of one letter, such as ``-p``.
        aliases: More long names.
        metavar: What the help calls its value; nothing for a switch.
        env: The environment variable that gives it when nothing else does.
        implies: The switch that it switches on, unless that is given too. The environment
            variable counts only when the switch is on.
        expected: What is right, where the type does not say it.
        read: Makes of text, wherever it comes from, what the type can be made of.
        in_files: Whether a configuration file may give it.
        name: Its long name, which is its key in a configuration file.
        type: What its value must be.
        default: Its value when nothing gives it.
    """

    group: str
    help: str
    short: str = ""
    aliases: tuple[str, ...] = ()
    metavar: str = ""
    env: str = ""
    implies: str = ""
    expected: str = ""
    read: Callable[[str], object] = str
    in_files: bool = True
    name: str = ""
    type: object = None
    default: object = None

    @property
    def spellings(self) -> list[str]:
        """The option as it is written on a command line, the short form first."""
        long = [f"--{name}" for name in (self.name, *self.aliases)]
        return [self.short, *long] if self.short else long

    def from_text(self, text: str) -> object:
        """Return the value that text stands for; raises ConfigurationError for a bad one."""
        return self._convert(text, strict=False)

    def from_value(self, value: object) -> object:
        """Return a value of a configuration file, which has a type; raises ConfigurationError."""
        return self._convert(value, strict=True)

    def _convert(self, value: object, strict: bool) -> object:
        given = self.read(value) if isinstance(value, str) else value
        # The strict way first: it leaves text alone where text is wanted.
        for way in (True,) if strict else (True, False):
            try:
                converted: object = msgspec.convert(given, self.type, strict=way)
            except msgspec.ValidationError:
                continue
            return converted
        expected = self.expected or describe(self.type)
        raise ConfigurationError(f"{self.name} must be {expected}, not {value!r}")


def describe(kind: object) -> str:
    """Return in words what values a type has."""
    info = msgspec.inspect.type_info(kind)
    if isinstance(info, msgspec.inspect.UnionType):
        info = info.types[0]
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
            return "a text that is not empty"
