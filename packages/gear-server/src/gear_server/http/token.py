"""The token that whoever asks over HTTP must send, which is kept in a file."""

import hmac
import os
import re
import stat
from typing import Final

from gear_server.settings import ServerSettings
from gear_wire.errors import ConfigurationError

LONGEST: Final = 4096
"""Bytes of a file that is taken for one with a token."""
_TOKEN: Final = re.compile(rb"[A-Za-z0-9._~+/=-]+")
_SCHEME: Final = "bearer"


class TokenFile:
    """A token in a file.

    Args:
        path: The file.

    Raises:
        ConfigurationError: It cannot be read, others may read it, or it is not one token.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._token = self._read()

    def reload(self) -> None:
        """Read the file again.

        Raises:
            ConfigurationError: It cannot be used; the token stays.
        """
        self._token = self._read()

    def matches(self, authorization: str) -> bool:
        """Return whether a header ``Authorization`` brings the token."""
        scheme, _, token = authorization.partition(" ")
        given = token.strip().encode(errors="replace")
        return hmac.compare_digest(given, self._token) and scheme.lower() == _SCHEME

    def _read(self) -> bytes:
        try:
            with open(self._path, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(LONGEST).strip()
        except OSError as error:
            raise ConfigurationError(
                f"cannot read the token for HTTP, {self._path}: {error.strerror}"
            ) from error
        if os.name == "posix" and mode & stat.S_IROTH:
            raise ConfigurationError(
                f"everyone on this machine may read the token for HTTP, {self._path}: chmod o-r"
            )
        if not text:
            raise ConfigurationError(f"the file of the token for HTTP, {self._path}, is empty")
        if _TOKEN.fullmatch(text) is None:
            raise ConfigurationError(
                f"a token for HTTP is letters, digits and any of -._~+/= on one line; "
                f"{self._path} has something else"
            )
        return text


def open_token(settings: ServerSettings) -> TokenFile | None:
    """Return the token of the settings; None if they name no file.

    Raises:
        ConfigurationError: The file cannot be used.
    """
    return None if settings.http_token_file is None else TokenFile(settings.http_token_file)
