"""How a server identifies itself."""

from typing import Final

import msgspec

from gear_wire.errors import ConfigurationError, InvalidDataError
from gear_wire.jobs import to_handle
from gear_wire.text import command


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """How a server identifies itself.

    Attributes:
        handle_prefix: Prefix of job handles, before ``:`` and a number.
        handle_token: Digits at the start of that number, which differ for each start of each
            server: an old handle never names a new job, nor one of another server.
        version: The answer to ``version``.
        pid: The answer to ``getpid``.

    Raises:
        ConfigurationError: The prefix is not one word, so text commands could not name the jobs.
    """

    handle_prefix: bytes = b"H:localhost"
    handle_token: bytes = b""
    version: bytes = b"1.0.0"
    pid: int = 0

    def __post_init__(self) -> None:
        """Check the prefix."""
        try:
            command(b"cancel job", to_handle(self.handle_prefix))
        except InvalidDataError:
            raise ConfigurationError(
                f"a prefix of job handles is one word of printable text, not {self.handle_prefix!r}"
            ) from None


ANONYMOUS: Final = Identity()
