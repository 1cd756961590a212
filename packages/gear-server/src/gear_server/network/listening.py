"""What a server is told to do at its start; the command line for it is in `cli`."""

import configparser
import errno
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from gear_server.engine.acl import ACL, ACLEntry, ACLError
from gear_server.engine.settings import check_number
from gear_wire.errors import ConfigurationError
from gear_wire.framing import MAX_LINE_SIZE
from gear_wire.link.address import Keepalive, check_host, check_port
from gear_wire.link.tls import TLSFiles, check_tls_files

if TYPE_CHECKING:
    import ssl

MAX_PACKET_SIZE: Final = 256 << 20
"""Bytes of data in a packet: several times the largest payloads seen, and far from what would bring
a machine down. gearmand has no limit, and allocates whatever a header asks for."""
MAX_SEND_QUEUE: Final = 256 << 20
"""Bytes that may wait for a connection before it is cut off when more comes: four results of 64 MiB
may be on their way to a slow reader. gearmand and gear 0.16 have no limit."""
BACKLOG: Final = 1024
HANDSHAKE_TIMEOUT: Final = 10.0
FREE_PORT_TRIES: Final = 20
ACL_KEYS: Final = ("register", "invoke", "grant")

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]
"""One answer of `socket.getaddrinfo`."""


class ListenSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to listen.

    Attributes:
        host: A name or address; None for all addresses.
        port: The port; 0 for a free one.
        tls: The three files; None for no TLS.
        keepalive: TCP keepalive of the connections.
        backlog: How many connections may wait to be accepted.
        max_packet_size: The largest packet taken, in bytes of data.
        max_send_queue: Bytes that may wait for a connection before it is cut off when more comes.
        max_line_size: The longest text command taken, in bytes.
        busy_poll: Microseconds to look for more after something came, before sleeping.
    """

    host: str | None = None
    port: int = 4730
    tls: TLSFiles | None = None
    keepalive: Keepalive = Keepalive()
    backlog: int = BACKLOG
    max_packet_size: int = MAX_PACKET_SIZE
    max_send_queue: int = MAX_SEND_QUEUE
    max_line_size: int = MAX_LINE_SIZE
    busy_poll: int = 0

    def tlsContext(self) -> "ssl.SSLContext | None":
        """Return the TLS context; raises ConfigurationError for files that cannot be used."""
        return None if self.tls is None else self.tls.serverContext()


def listen_settings(
    host: str | None,
    port: int | str,
    ssl_key: str | os.PathLike[str] | None,
    ssl_cert: str | os.PathLike[str] | None,
    ssl_ca: str | os.PathLike[str] | None,
    keepalive: Keepalive,
    *,
    backlog: int,
    max_packet_size: int,
    max_send_queue: int,
    max_line_size: int,
    busy_poll: int,
) -> ListenSettings:
    """Check what was given and return it as one value.

    Raises:
        ConfigurationError: The host is no name, the port is out of range, one of the three files
            is missing, or a limit is not positive.
        TypeError: The host is no text, or a limit no number.
    """
    limits = {
        "backlog": backlog,
        "max_packet_size": max_packet_size,
        "max_send_queue": max_send_queue,
        "max_line_size": max_line_size,
    }
    for name, limit in limits.items():
        check_number(name, limit, 1)
    check_number("busy_poll", busy_poll, 0)
    return ListenSettings(
        host=None if not host else check_host(host),
        port=check_port(port, least=0),
        tls=check_tls_files(ssl_key, ssl_cert, ssl_ca),
        keepalive=keepalive,
        busy_poll=busy_poll,
        **limits,
    )


def listen(settings: ListenSettings) -> list[socket.socket]:
    """Return sockets that listen on every address of the host, all on one port.

    Raises:
        OSError: An address cannot be bound.
        ConfigurationError: The host has no address.
    """
    try:
        addresses = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"cannot listen on {settings.host}: {error}") from error
    tries = FREE_PORT_TRIES if settings.port == 0 else 1
    while True:
        tries -= 1
        try:
            return _listen_on(addresses, settings)
        except OSError as error:
            # The port that the first address has free may be in use on the next.
            if error.errno != errno.EADDRINUSE or not tries:
                raise


def _listen_on(addresses: Sequence[Address], settings: ListenSettings) -> list[socket.socket]:
    port = settings.port
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    for family, _, _, _, address in addresses:
        try:
            sock = _bound(family, (address[0], port, *address[2:]), settings.backlog)
        except OSError as error:
            failure = OSError(
                error.errno, f"cannot listen on {address[0]} port {port}: {error.strerror}"
            )
            # A machine without IPv6 has an address of it all the same; any other failure counts.
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                for sock in sockets:
                    sock.close()
                raise failure from error
            missing = failure
            continue
        sockets.append(sock)
        port = sock.getsockname()[1]
    if missing is not None and not sockets:
        raise missing
    return sockets


def _bound(family: int, address: tuple[object, ...], backlog: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def read_acl(path: str | os.PathLike[str]) -> ACL:
    """Return the access control list of an INI file: a section for each subject.

    A section may have ``register``, ``invoke`` and ``grant``.

    Raises:
        ConfigurationError: The file cannot be read, or an entry makes no sense.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, UnicodeError, configparser.Error) as error:
        raise ConfigurationError(f"cannot read the ACL file {os.fspath(path)}: {error}") from error
    acl = ACL()
    for subject in parser.sections():
        try:
            acl.add(_acl_entry(parser[subject]))
        except (ValueError, ACLError) as error:
            raise ConfigurationError(f"{os.fspath(path)}, [{subject}]: {error}") from error
    return acl


def _acl_entry(section: configparser.SectionProxy) -> ACLEntry:
    unknown = [key for key in section if key not in ACL_KEYS]
    if unknown:
        raise ACLError(f"{unknown[0]} is no right; the rights are {', '.join(ACL_KEYS)}")
    return ACLEntry(
        section.name,
        section.get("register"),
        section.get("invoke"),
        section.getboolean("grant", fallback=False),
    )
