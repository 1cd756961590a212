"""TLS contexts from the three documented files, and TLS without a socket for threads.

The module `ssl` is loaded when TLS is used, and not before.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

import msgspec

from gear_wire.errors import ConfigurationError, DisconnectError

if TYPE_CHECKING:
    import ssl


class TLSFiles(msgspec.Struct, frozen=True):
    """A private key, the certificate that goes with it and the authority both sides trust."""

    key: str
    cert: str
    ca: str

    def client_context(self, check_hostname: bool = True) -> ssl.SSLContext:
        """Return a context that shows our certificate and demands the server's.

        Args:
            check_hostname: Whether the server's certificate must name the host that was asked for.

        Raises:
            ConfigurationError: A file cannot be used, with its path.
        """
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = check_hostname
        return self._load(context)

    def server_context(self) -> ssl.SSLContext:
        """Return a context that shows our certificate and demands the client's; raises as above."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        return self._load(context)

    def _load(self, context: ssl.SSLContext) -> ssl.SSLContext:
        import ssl

        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.cert, self.key, password=self._refuse_to_ask)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"cannot use the certificate {self.cert} with the key {self.key}: {error}"
            ) from error
        try:
            context.load_verify_locations(self.ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"cannot use the CA file {self.ca}: {error}") from error
        return context

    def _refuse_to_ask(self) -> str:
        # OpenSSL would ask at the terminal, in whatever thread connects.
        raise ConfigurationError(f"the key {self.key} is encrypted: nobody can give a passphrase")


def check_tls_files(
    ssl_key: str | os.PathLike[str] | None,
    ssl_cert: str | os.PathLike[str] | None,
    ssl_ca: str | os.PathLike[str] | None,
) -> TLSFiles | None:
    """Return the three files, or None when none is given.

    Raises:
        ConfigurationError: One or two of them are missing (0.16 then spoke plaintext without a
            word), or a file does not exist.
        TypeError: One is not a path.
    """
    given = {"ssl_key": ssl_key, "ssl_cert": ssl_cert, "ssl_ca": ssl_ca}
    missing = [name for name, path in given.items() if not path]
    if len(missing) == len(given):
        return None
    if missing:
        raise ConfigurationError(
            f"TLS needs ssl_key, ssl_cert and ssl_ca; missing: {', '.join(missing)}"
        )
    return TLSFiles(*(_check_file(name, path) for name, path in given.items() if path))


def _check_file(name: str, path: str | os.PathLike[str]) -> str:
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise TypeError(f"{name} is the path of a file, not {path!r}") from None
    if not os.path.isfile(text):
        raise ConfigurationError(f"{name}: there is no file {text}")
    return text


NOT_ACCEPTED: Final = (
    "the server closed the connection after the TLS handshake; it may not accept this certificate"
)
"""Why a connection was lost on which the server had nothing to say, not even an alert."""
_WRONG_NAME: Final = (62, 64)
"""OpenSSL's codes for a certificate that does not name the host, or its address."""


def describe(error: Exception) -> str:
    """Return what went wrong with a connection in the system's words, with what can be done."""
    text = str(error) or type(error).__name__
    if isinstance(error, socket.gaierror):
        text = error.strerror or text
    elif isinstance(error, OSError) and error.errno is not None and not hasattr(error, "library"):
        text = os.strerror(error.errno)  # asyncio's own words have its arguments in them
    if getattr(error, "verify_code", None) in _WRONG_NAME:
        return (
            f"{text}; ssl_check_hostname=False, or GEAR_SSL_CHECK_HOSTNAME=0 in the environment, "
            "accepts certificates without the host's name"
        )
    return text


class TLSStream:
    """One end of a TLS connection over bytes in memory.

    The caller holds a lock around each call: unlike an `ssl.SSLSocket`, it then serves a thread
    that reads beside threads that write.

    Attributes:
        ended: Whether the other side has said that nothing more comes.
    """

    def __init__(self, context: ssl.SSLContext, server_hostname: str) -> None:
        import ssl

        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )
        self.ended: bool = False
        self._want_read: tuple[type[Exception], ...] = (ssl.SSLWantReadError,)
        self._closed: tuple[type[Exception], ...] = (ssl.SSLZeroReturnError, ssl.SSLEOFError)

    def handshake(self, data: bytes) -> bool:
        """Take bytes from the network; True when the handshake is done, raises ssl.SSLError."""
        self._incoming.write(data)
        try:
            self._object.do_handshake()
        except self._want_read:
            return False
        return True

    @property
    def may_refuse(self) -> bool:
        """Whether the server may refuse our certificate when our handshake is done: TLS 1.3."""
        return self._object.version() == "TLSv1.3"

    def encrypt(self, data: bytes) -> None:
        """Take bytes of the application; what goes out is in `outgoing`."""
        view = memoryview(data)
        while view:
            view = view[self._object.write(view) :]

    def decrypt(self, data: bytes) -> bytes:
        """Take bytes from the network and return those for the application.

        Raises:
            DisconnectError: The other side ended the connection, or sent something that is not TLS.
        """
        import ssl

        self._incoming.write(data)
        chunks: list[bytes] = []
        try:
            while chunk := self._object.read(262144):
                chunks.append(chunk)
            self.ended = True
        except self._want_read:
            pass
        except self._closed:
            self.ended = True
        except ssl.SSLError as error:
            raise DisconnectError(f"TLS: {error}") from error
        if self.ended and not chunks:
            raise DisconnectError("TLS: the other side ended the connection")
        return b"".join(chunks)

    def end(self) -> bytes:
        """Return the bytes that tell the other side that nothing more comes from here."""
        import ssl

        try:
            self._object.unwrap()
        except ssl.SSLError:
            pass  # it wants the other side's end too, which nobody waits for
        return self._outgoing.read()

    def outgoing(self) -> bytes:
        """Return the bytes for the network, and forget them."""
        return self._outgoing.read()
