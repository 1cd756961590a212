"""Addresses to listen on, as command lines name them."""

import re
from typing import Final, NamedTuple

from gear_wire.link.address import check_port

_LISTEN: Final = re.compile(r"(?:\[(?P<v6>[^\]/]+)\]|(?P<host>[^:/]*)):(?P<port>\d+)")


class Listen(NamedTuple):
    """An address to listen on.

    Attributes:
        host: A name or address; None for all interfaces.
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
    return Listen(found["v6"] or found["host"] or None, check_port(found["port"], least=0))
