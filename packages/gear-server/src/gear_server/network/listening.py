"""Opens listening sockets, and reads access control lists."""

import configparser
import errno
import os
import socket
from collections.abc import Sequence
from typing import Final

from gear_server.engine.acl import ACL, ACLEntry, ACLError
from gear_wire.errors import ConfigurationError
from gear_wire.link.listen import Listen
from gear_wire.link.tls import describe

FREE_PORT_TRIES: Final = 20
ACL_KEYS: Final = ("register", "invoke", "grant", "admin", "see")

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]
"""One answer of `socket.getaddrinfo`."""


def listen(where: Listen, backlog: int) -> list[socket.socket]:
    """Return sockets that listen on every address of the host, all on one port.

    Raises:
        OSError: An address cannot be bound.
        ConfigurationError: The host has no address.
    """
    sockets = bind(where)
    begin_listening(sockets, backlog)
    return sockets


def bind(where: Listen) -> list[socket.socket]:
    """Return sockets as `listen` does, which refuse connections until `begin_listening`."""
    addresses = _addresses(where)
    tries = FREE_PORT_TRIES if where.port == 0 else 1
    while True:
        tries -= 1
        try:
            return _bind_all(addresses, where.port)
        except OSError as error:
            # The port that is free on the first address may be in use on the next.
            if error.errno != errno.EADDRINUSE or not tries:
                raise


def begin_listening(sockets: Sequence[socket.socket], backlog: int) -> None:
    """Have sockets listen that do not yet.

    Raises:
        OSError: Another process listens there since they were bound; all are closed then.
    """
    for sock in sockets:
        try:
            if not listens(sock):
                sock.listen(backlog)
        except OSError as error:
            failure = _failure(error, *sock.getsockname()[:2])
            for opened in sockets:
                opened.close()
            raise failure from error


def listens(sock: socket.socket) -> bool:
    """Return whether a socket is a listening TCP socket."""
    tcp = sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM
    return tcp and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def check_listeners(sockets: Sequence[socket.socket]) -> list[socket.socket]:
    """Check sockets that were opened elsewhere, and return them.

    Raises:
        ConfigurationError: There are none, or one of them is not a listening TCP socket.
    """
    for sock in sockets:
        if not listens(sock):
            raise ConfigurationError(f"sockets must be listening TCP sockets, not {sock!r}")
    if not sockets:
        raise ConfigurationError("sockets must not be empty: a server must listen on one")
    return list(sockets)


def try_to_bind(where: Listen) -> None:
    """Check that the addresses can be bound, or are bound by a running server.

    Raises:
        OSError: An address cannot be bound, for another reason than that it is in use.
        ConfigurationError: The host has no address.
    """
    try:
        sockets = _bind_all(_addresses(where), where.port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    else:
        for sock in sockets:
            sock.close()


def _addresses(where: Listen) -> Sequence[Address]:
    try:
        return socket.getaddrinfo(*where, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"cannot listen on {where.host}: {describe(error)}") from error


def _failure(error: OSError, host: str, port: int) -> OSError:
    return OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}")


def _bind_all(addresses: Sequence[Address], port: int) -> list[socket.socket]:
    """Return a bound socket for each address."""
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    for family, _, _, _, address in addresses:
        try:
            sock = _bound(family, (address[0], port, *address[2:]))
        except OSError as error:
            failure = _failure(error, str(address[0]), port)
            # Machines without IPv6 may list an IPv6 address all the same; other failures count.
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


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def read_acl(path: str | os.PathLike[str]) -> ACL:
    """Return the access control list of an INI file: a section for each subject.

    A section may have ``register``, ``invoke``, ``grant``, ``admin`` and ``see``.

    Raises:
        ConfigurationError: The file cannot be read, or an entry is invalid.
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
        raise ACLError(f"unknown right {unknown[0]}; the rights are {', '.join(ACL_KEYS)}")
    return ACLEntry(
        section.name,
        section.get("register"),
        section.get("invoke"),
        *(section.getboolean(key, fallback=False) for key in ("grant", "admin", "see")),
    )
