"""Reads the configuration file of ``gear-worker``."""

import difflib
import tomllib
from typing import Final

from gear_wire.errors import ConfigurationError
from gear_worker.cli.options import BY_KEY, OPTIONS

TABLE: Final = "gear-worker"


def read_toml(path: str) -> dict[str, object]:
    """Return the options in a file, by the names of their attributes.

    Raises:
        ConfigurationError: The file cannot be read, or a key or value in it is invalid.
    """
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"cannot read the configuration file {path}: {reason}") from error
    table = document.get(TABLE, {})
    if document.keys() - {TABLE} or not isinstance(table, dict):
        raise ConfigurationError(f"{path}: options belong in a table, under a line [{TABLE}]")
    values: dict[str, object] = {}
    for key, value in table.items():
        try:
            attribute = _attribute(key)
            values[attribute] = OPTIONS[attribute].from_value(value)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from error
    return values


def _attribute(key: str) -> str:
    attribute = BY_KEY.get(key)
    if attribute is None:
        known = [name for name, attribute in BY_KEY.items() if OPTIONS[attribute].in_files]
        close = difflib.get_close_matches(key.replace("_", "-"), known, 1)
        hint = f"did you mean {close[0]}?" if close else f"the keys are {', '.join(sorted(known))}"
        raise ConfigurationError(f"unknown key {key}; {hint}")
    if not OPTIONS[attribute].in_files:
        raise ConfigurationError(f"{key} is allowed on the command line only")
    return attribute
