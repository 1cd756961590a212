"""Every exception that gear raises; all derive from `GearmanError`."""

import builtins

from gear_wire.escape import escaped


class GearmanError(Exception):
    """The base of all of gear's exceptions, and what has no better name."""


class ConnectionError(GearmanError, builtins.ConnectionError):  # noqa: A001  (documented name)
    """A connection to a server could not be made, or is gone."""


class DisconnectError(ConnectionError):
    """The other side closed the connection."""


class InvalidDataError(GearmanError, ValueError):
    """A value that cannot be sent, or bytes received that are not Gearman."""


class ProtocolError(InvalidDataError):
    """Bytes received break the rules of the protocol; the connection cannot go on."""


class ConfigurationError(GearmanError, ValueError):
    """Settings that contradict each other or name what does not exist."""


class NoConnectedServersError(GearmanError, builtins.ConnectionError):
    """No server is connected at the moment."""


class UnknownJobError(GearmanError, LookupError):
    """A packet names a job that this connection does not know."""


class InterruptedError(GearmanError, builtins.InterruptedError):  # noqa: A001  (documented name)
    """Waiting ended because of `stopWaitingForJobs` or `shutdown`."""


class TimeoutError(GearmanError, builtins.TimeoutError):  # noqa: A001  (name of gear 0.16)
    """An answer did not come in time."""


class ServerError(GearmanError):
    """The server answered with an ERROR packet.

    Its message is printable whatever the server said; the attributes are what it said.

    Args:
        code: The error's code, such as ``"JOB_NOT_FOUND"``.
        text: What the server said about it.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(": ".join(escaped(part) for part in (code, text) if part))
        self.code: str = code
        self.text: str = text

    def __reduce__(self) -> tuple[type["ServerError"], tuple[str, str]]:
        """Have copies made of both arguments, and not of the message."""
        return type(self), (self.code, self.text)


class JobFailedError(GearmanError):
    """A job ended without a result.

    Args:
        message: Which job, and how it ended.
        exception: The data of the worker's WORK_EXCEPTION packet; None for a plain WORK_FAIL.
    """

    def __init__(self, message: str, exception: bytes | None = None) -> None:
        super().__init__(message)
        self.exception: bytes | None = exception
