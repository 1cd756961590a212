"""How a job ended; the job that it is told is in `jobs`."""

from typing import Final

import msgspec

from gear_wire.escape import quoted


class Outcome(msgspec.Struct, frozen=True):
    """The end of a job.

    Attributes:
        failed: Whether it ended without a result.
        reason: Why it failed, as a sentence that begins with the job goes on.
        exception: The data of WORK_EXCEPTION; None without one.
    """

    failed: bool = False
    reason: str = ""
    exception: bytes | None = None

    @classmethod
    def raised(cls, exception: bytes) -> "Outcome":
        """Return the outcome of a job whose worker sent WORK_EXCEPTION.

        Args:
            exception: What it sent.
        """
        return cls(True, f"failed with exception {quoted(exception)}", exception)

    @classmethod
    def lost(cls, reason: str) -> "Outcome":
        """Return the outcome of a job whose server was lost.

        Args:
            reason: Why, as far as it is known.
        """
        because = f": {reason}" if reason else ""
        return cls(True, f"lost its server before it ended{because}")


COMPLETED: Final = Outcome()
FAILED: Final = Outcome(True, "failed")
CANCELLED: Final = Outcome(True, "was cancelled")
