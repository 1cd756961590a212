"""Reads configuration files: geard's own in TOML, and gearmand's, which are command lines."""

import difflib
import tomllib
from typing import Final

from gear_server.geard.foreign import FOREIGN_BY_SPELLING
from gear_server.geard.options import BY_KEY, OPTIONS
from gear_server.geard.parser import Given, parse
from gear_wire.errors import ConfigurationError

TABLE: Final = "geard"


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"cannot read the configuration file {path}: {reason}") from error


def read_toml(path: str) -> dict[str, object]:
    """Return the options in a TOML file, by the names of their attributes.

    Raises:
        ConfigurationError: The file cannot be read, or a key or value in it is invalid.
    """
    try:
        document = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    table = document.pop(TABLE, {})
    if document:
        raise ConfigurationError(
            f"{path}: {next(iter(document))} is out of place; options belong under [{TABLE}]"
        )
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: {TABLE} must be a table: a line [{TABLE}], then options")
    values: dict[str, object] = {}
    for key, value in table.items():
        try:
            attribute = _attribute(key)
            if attribute in values:
                raise ConfigurationError(f"{key} is given twice, under different names")
            values[attribute] = OPTIONS[attribute].from_value(value)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from error
    return values


def _attribute(key: str) -> str:
    attribute = BY_KEY.get(key)
    if attribute is not None:
        if not OPTIONS[attribute].in_files:
            raise ConfigurationError(f"{key} is allowed on the command line only")
        return attribute
    foreign = FOREIGN_BY_SPELLING.get(f"--{key}")
    if foreign is not None:
        raise ConfigurationError(f"{key} is not supported: {foreign.reason}")
    allowed = [name for name, attribute in BY_KEY.items() if OPTIONS[attribute].in_files]
    close = difflib.get_close_matches(key.replace("_", "-"), allowed, 1)
    hint = f"did you mean {close[0]}?" if close else f"the keys are {', '.join(sorted(allowed))}"
    raise ConfigurationError(f"unknown key {key}; {hint}")


def read_tokens(path: str) -> Given:
    """Return the options in a gearmand configuration file, where they are separated by white space.

    Raises:
        ConfigurationError: The file cannot be read, or an option in it is invalid.
    """
    try:
        given = parse(_read(path).split())
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    for attribute in given.values:
        if not OPTIONS[attribute].in_files:
            name = OPTIONS[attribute].name
            raise ConfigurationError(f"{path}: --{name} is allowed on the command line only")
    return given
