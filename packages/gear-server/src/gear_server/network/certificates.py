"""A server's TLS files: they can be read again, and their end is announced in time.

Nothing in the standard library tells when a certificate ends that has not been verified, so the
date is read out of it here.
"""

import contextlib
import datetime
import logging
import re
import ssl
from collections.abc import Iterator
from typing import Final

from gear_wire.link.tls import TLSFiles

NOTICE_PERIODS: Final = (
    (datetime.timedelta(days=7), logging.ERROR),
    (datetime.timedelta(days=30), logging.WARNING),
)
"""How long before the end it is logged, and at which level."""
_PEM: Final = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17


def _element(data: bytes, start: int) -> tuple[int, int, int]:
    """Return the tag of the DER element at a position, and where its content begins and ends."""
    tag, size, begin = data[start], data[start + 1], start + 2
    if size & 0x80:  # the size of the size
        begin += size & 0x7F
        size = int.from_bytes(data[start + 2 : begin])
    return tag, begin, begin + size


def end_of(certificate: bytes) -> datetime.datetime:
    """Return when a certificate in DER ends to be valid (RFC 5280, 4.1)."""
    _, begin, _ = _element(certificate, 0)
    _, begin, _ = _element(certificate, begin)  # what is signed
    tag, _, end = _element(certificate, begin)
    if tag == _VERSION:
        begin = end
    for _ in ("serial number", "algorithm", "issuer"):
        _, _, begin = _element(certificate, begin)
    _, begin, _ = _element(certificate, begin)  # validity
    _, _, begin = _element(certificate, begin)  # its first half: not before
    tag, begin, end = _element(certificate, begin)
    text = certificate[begin:end].decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text >= "5" else "20") + text
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.UTC)


def _ends(text: str) -> Iterator[datetime.datetime]:
    for pem in _PEM.findall(text):
        # OpenSSL takes some dates that are not as they must be.
        with contextlib.suppress(ValueError, IndexError):
            yield end_of(ssl.PEM_cert_to_DER_cert(pem))


def end_of_file(path: str) -> datetime.datetime | None:
    """Return when a PEM file ends to be valid: its certificate, or the first of its chain.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, encoding="ascii", errors="replace") as file:
        return min(_ends(file.read()), default=None)


class Certificates:
    """The certificate of a server, with its key, and the authority of its clients.

    Args:
        files: The files.
        log: Logs when the certificate ends soon.

    Raises:
        ConfigurationError: A file cannot be used.

    Attributes:
        context: The TLS context for the next handshake.
    """

    def __init__(self, files: TLSFiles, log: logging.Logger) -> None:
        self._files = files
        self._log = log
        self.context: ssl.SSLContext = files.server_context()
        self._end = end_of_file(files.cert)

    def reload(self) -> None:
        """Read the files again; connections and handshakes that have begun go on as they are.

        Raises:
            ConfigurationError: A file cannot be used; the previous ones stay in use.
        """
        self.context, self._end = self._files.server_context(), end_of_file(self._files.cert)

    def check(self, now: datetime.datetime) -> None:
        """Log if the certificate ends soon, or has ended."""
        if self._end is None:
            return
        left = self._end - now
        for period, level in NOTICE_PERIODS:
            if left < period:
                date = f"{self._end:%Y-%m-%d %H:%M} UTC"
                if left < datetime.timedelta():
                    self._log.log(
                        level, "The certificate %s expired on %s: clients refuse it",
                        self._files.cert, date,
                    )  # fmt: skip
                else:
                    self._log.log(
                        level, "The certificate %s expires on %s, in %d days",
                        self._files.cert, date, left.days,
                    )  # fmt: skip
                return
