"""Which servers a command line names: ``--server``, or the environment."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from gear_wire.errors import ConfigurationError

# Addresses are loaded when there is one: a program's help has none.
if TYPE_CHECKING:
    from gear_wire.link.address import ServerAddress

VARIABLE: Final = "GEARMAN_SERVERS"
_SERVER: Final = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\s]+))(?::(?P<port>[^:]+))?")


def split_servers(text: str) -> list[str]:
    """Return the servers of the environment variable: between commas or white space."""
    return [word for word in re.split(r"[,\s]+", text) if word]


def parse_server(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST``, ``HOST:PORT`` or ``[IPV6]:PORT``.

    Raises:
        ConfigurationError: It is none of these.
    """
    from gear_wire.link.address import DEFAULT_PORT, check_host, check_port

    found = _SERVER.fullmatch(text)
    if found is None and text.count(":") > 1 and re.fullmatch(r"[0-9a-fA-F:.]+", text):
        return text, DEFAULT_PORT
    if found is None:
        raise ConfigurationError(f"a server is HOST, HOST:PORT or [IPV6]:PORT, not {text!r}")
    return check_host(found["v6"] or found["host"]), check_port(found["port"] or DEFAULT_PORT)


def server_addresses(
    servers: Iterable[str], ssl_key: str | None, ssl_cert: str | None, ssl_ca: str | None
) -> "list[ServerAddress]":
    """Return the addresses of all servers that a command line names, each once.

    Raises:
        ConfigurationError: One is no server, or one of the three files is missing.
    """
    from gear_wire.link.address import DEFAULT_PORT, ServerAddress
    from gear_wire.link.tls import check_tls_files

    files = check_tls_files(ssl_key, ssl_cert, ssl_ca)
    known = dict.fromkeys(parse_server(text) for text in servers)
    return [
        ServerAddress(host, port, files)
        for host, port in known or {("localhost", DEFAULT_PORT): None}
    ]


def format_server(address: "ServerAddress") -> str:
    """Return a server as a command line names it, always with its port."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"
