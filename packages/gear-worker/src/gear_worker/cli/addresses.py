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
    """Return an address written as ``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT``; None for others.

    Raises:
        ConfigurationError: The port is out of range.
    """
    found = _LISTEN.fullmatch(text)
    if found is None:
        return None
    port = int(found["port"])
    return Listen(found["v6"] or found["host"] or None, port and check_port(port))


def to_listen(text: str) -> Listen:
    """Return an address.

    Raises:
        ConfigurationError: It is none.
    """
    listen = find_listen(text)
    if listen is None:
        raise ConfigurationError(f"metrics must be HOST:PORT, not {text!r}")
    return listen


def check_metrics(text: str) -> str:
    """Return what ``--metrics`` is given, if it is an address.

    Raises:
        ConfigurationError: It is none.
    """
    to_listen(text)
    return text


def check_health(text: str) -> str:
    """Return what ``--health`` is given, if it is an address or a file.

    Raises:
        ConfigurationError: It looks like an address, and is none.
    """
    if find_listen(text) is None and ":" in text and "/" not in text:
        raise ConfigurationError(
            f"health must be HOST:PORT or a file, not {text!r}; a file of that name is ./{text}"
        )
    return text
