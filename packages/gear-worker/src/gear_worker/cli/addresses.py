"""Where a health check or metrics are asked for: an address to listen on, or a file."""

import re
from typing import Final, NamedTuple

from gear_wire.errors import ConfigurationError
from gear_wire.link.address import check_port

_LISTEN: Final = re.compile(r"(?:\[(?P<v6>[^\]/]+)\]|(?P<host>[^:/]*)):(?P<port>\d+)")


class Listen(NamedTuple):
    """An address to listen on.

    Attributes:
        host: The host; None for all interfaces.
        port: The port; 0 for a free one.
    """

    host: str | None
    port: int


def find_listen(text: str) -> Listen | None:
    """Return an address written as ``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT``; or None.

    Raises:
        ConfigurationError: The port is out of range.
    """
    found = _LISTEN.fullmatch(text)
    if found is None:
        return None
    port = int(found["port"])
    return Listen(found["v6"] or found["host"] or None, port and check_port(port))


def to_listen(text: str, option: str) -> Listen:
    """Return an address.

    Args:
        text: What was given.
        option: The option that gave it.

    Raises:
        ConfigurationError: It is none.
    """
    listen = find_listen(text)
    if listen is None:
        raise ConfigurationError(f"{option} must be HOST:PORT, not {text!r}")
    return listen
