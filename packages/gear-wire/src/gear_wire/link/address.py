"""Where a server is and how to talk to it; connecting is in `threads` and `aio`."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING, Final

import msgspec

from gear_wire.errors import ConfigurationError
from gear_wire.jobs import to_bytes
from gear_wire.link.tls import TLSFiles, check_tls_files

if TYPE_CHECKING:
    import ssl

DEFAULT_PORT: Final = 4730
CHECK_VARIABLE: Final = "GEAR_SSL_CHECK_HOSTNAME"
_log: Final = logging.getLogger("gear.TLS")
# What Linux takes; others take more, which nobody needs.
_MOST: Final = {"idle": 32767, "interval": 32767, "count": 127}


class Keepalive(msgspec.Struct, frozen=True):
    """TCP keepalive of a socket.

    Attributes:
        enabled: Whether it is on.
        idle: Seconds without traffic before the first probe.
        interval: Seconds between probes.
        count: Probes without an answer before the connection is given up.

    Raises:
        ConfigurationError: It is enabled, and one of the numbers is none that can be set.
    """

    enabled: bool = False
    idle: int = 7200
    interval: int = 75
    count: int = 9

    def __post_init__(self) -> None:
        """Check the numbers when they count."""
        if not self.enabled:
            return
        for name, most in _MOST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not 0 < value <= most:
                raise ConfigurationError(
                    f"keepalive: {name} is a number from 1 to {most}, not {value!r}"
                )

    def apply(self, sock: socket.socket) -> None:
        """Set it on a socket, as far as the platform can."""
        if not self.enabled:
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        settings = {
            "TCP_KEEPIDLE": self.idle,
            "TCP_KEEPINTVL": self.interval,
            "TCP_KEEPCNT": self.count,
        }
        for name, value in settings.items():
            option = getattr(socket, name, None)
            if option is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def check_host(host: str | bytes) -> str:
    """Return a host as text.

    Raises:
        ConfigurationError: The host is empty, or not a host name.
        TypeError: It is neither str nor bytes.
    """
    name = to_bytes(host, "the host of a server").decode(errors="replace")
    if "\0" in name or "\ufffd" in name:
        raise ConfigurationError(f"not the name of a host: {host!r}")
    if not name:
        raise ConfigurationError("the host of a server must not be empty")
    hint = _hint(name)
    if hint:
        raise ConfigurationError(f"not the name of a host: {host!r}; {hint}")
    return name


def _hint(name: str) -> str:
    """Return what is right instead of something that looks like a host; empty for a host."""
    if "://" in name:
        bare = name.partition("://")[2].partition("/")[0]
        return (
            f"give the host alone, {bare.partition(':')[0]!r}, and the port as a number beside it"
        )
    if name != name.strip() or any(letter.isspace() for letter in name):
        return "a host has no white space"
    if name.startswith("["):
        return f"an IPv6 address has no brackets here: {name.strip('[]').partition(']')[0]!r}"
    host, colon, port = name.partition(":")
    if colon and ":" not in port:
        return f"give the host alone, {host!r}, and the port {port or DEFAULT_PORT} beside it"
    return ""


def check_port(port: int | str | bytes, least: int = 1) -> int:
    """Return a port as a number; numbers in text, as 0.16 took them, are fine.

    Args:
        port: The port.
        least: The smallest that is right: 1 to connect to, 0 to listen on any free one.

    Raises:
        ConfigurationError: It is not a number, or out of range.
    """
    try:
        number = -1 if isinstance(port, bool | float) else int(port)
    except (TypeError, ValueError):
        number = -1
    if not least <= number <= 65535:
        raise ConfigurationError(f"a port is a number from {least} to 65535, not {port!r}")
    return number


class ServerAddress(msgspec.Struct, frozen=True):
    """Where a server is, and how to talk to it: one value for both faces and all clients.

    Attributes:
        host: The server's name or address.
        port: Its port.
        tls: Private key, certificate and authority; None for plaintext.
        check_hostname: Whether the server's certificate must name `host`.
        keepalive: TCP keepalive of the connections.
    """

    host: str
    port: int = DEFAULT_PORT
    tls: TLSFiles | None = None
    check_hostname: bool = True
    keepalive: Keepalive = Keepalive()

    @classmethod
    def of(
        cls,
        host: str | bytes,
        port: int | str | bytes = DEFAULT_PORT,
        ssl_key: str | os.PathLike[str] | None = None,
        ssl_cert: str | os.PathLike[str] | None = None,
        ssl_ca: str | os.PathLike[str] | None = None,
        *,
        ssl_check_hostname: bool = True,
        keepalive: Keepalive | None = None,
    ) -> ServerAddress:
        """Check what a caller gave, and return it as one value.

        Args:
            host: The server's name or address.
            port: Its port; a number, or a number in text.
            ssl_key: Path of the private key; the three files go together.
            ssl_cert: Path of the certificate.
            ssl_ca: Path of the certificates of the authority.
            ssl_check_hostname: Whether the server's certificate must name `host`.
            keepalive: TCP keepalive of the connections; None for off.

        Raises:
            ConfigurationError: The host is not valid, the port is out of range, one of the three
                files is missing or does not exist.
            TypeError: The host is neither str nor bytes, or a path is not one.
        """
        files = check_tls_files(ssl_key, ssl_cert, ssl_ca)
        return cls(
            check_host(host), check_port(port), files, ssl_check_hostname, keepalive or Keepalive()
        )

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the TLS context of a client; None for plaintext.

        The environment variable GEAR_SSL_CHECK_HOSTNAME=0 turns the check of names off for the
        whole process: programs of gear 0.16, which had none, may have certificates without names.

        Raises:
            ConfigurationError: A file cannot be used.
        """
        if self.tls is None:
            return None
        check = self.check_hostname
        if check and os.environ.get(CHECK_VARIABLE) == "0":
            _log.warning("%s=0: accepting any name in the certificate of %s", CHECK_VARIABLE, self)
            check = False
        return self.tls.client_context(check)

    def set_options(self, sock: socket.socket) -> None:
        """Set the options that its sockets have."""
        # 0.16 lost 40 ms a job to Nagle's algorithm.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.keepalive.apply(sock)

    def __str__(self) -> str:
        """Return it as log lines and errors name it."""
        return f"{self.host} port {self.port}"
