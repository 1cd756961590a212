"""Which packet submits a job; what is awaited afterwards is in `expectations`."""

import math
from datetime import datetime
from typing import Final

from gear_wire.enums import Precedence
from gear_wire.errors import ConfigurationError, InvalidDataError
from gear_wire.jobs import BaseJob, to_function_name
from gear_wire.packets import (
    BasePacket,
    SubmitJob,
    SubmitJobBg,
    SubmitJobEpoch,
    SubmitJobHigh,
    SubmitJobHighBg,
    SubmitJobLow,
    SubmitJobLowBg,
    SubmitReduceJob,
    SubmitReduceJobBackground,
)
from gear_wire.types import UniqueKey

_STRUCTS: Final = {
    (False, Precedence.NORMAL): SubmitJob,
    (False, Precedence.HIGH): SubmitJobHigh,
    (False, Precedence.LOW): SubmitJobLow,
    (True, Precedence.NORMAL): SubmitJobBg,
    (True, Precedence.HIGH): SubmitJobHighBg,
    (True, Precedence.LOW): SubmitJobLowBg,
}
_REDUCE_STRUCTS: Final = {False: SubmitReduceJob, True: SubmitReduceJobBackground}


def to_precedence(precedence: int) -> Precedence:
    """Return a precedence.

    Raises:
        ConfigurationError: It is none of the three.
    """
    try:
        return Precedence(precedence)
    except ValueError:
        known = ", ".join(f"PRECEDENCE_{known.name} ({known.value})" for known in Precedence)
        raise ConfigurationError(f"unknown precedence {precedence!r}; known are {known}") from None


def to_epoch(when: float | datetime) -> int:
    """Return a time in whole seconds since 1970, rounded up: a job never runs before its time.

    Raises:
        InvalidDataError: A datetime without time zone, or no time that fits.
        TypeError: It is no time at all.
    """
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise InvalidDataError(f"a datetime needs a time zone: {when!r}")
        when = when.timestamp()
    if not isinstance(when, int | float):
        raise TypeError(f"a time is a number of seconds or a datetime, not {type(when).__name__}")
    if not -1 < when < 1 << 63:
        raise InvalidDataError(f"not a time in seconds since 1970: {when!r}")
    return math.ceil(when)


def submit_packet(
    job: BaseJob,
    background: bool,
    precedence: int,
    when: float | datetime | None = None,
    reducer: str | bytes | None = None,
) -> BasePacket:
    """Return the packet that submits a job.

    Raises:
        ConfigurationError: The precedence is unknown.
        InvalidDataError: The protocol has no packet for the combination asked for.
    """
    wanted = to_precedence(precedence)
    name, payload = job.binary_name, job.binary_arguments
    unique = job.binary_unique or UniqueKey(b"")
    if when is None and reducer is None:
        return _STRUCTS[bool(background), wanted](name, unique, payload)
    if wanted is not Precedence.NORMAL or (when is not None and reducer is not None):
        raise InvalidDataError(
            "a job with a time or a reducer has normal precedence, and not both of them"
        )
    if reducer is not None:
        struct = _REDUCE_STRUCTS[bool(background)]
        return struct(name, unique, to_function_name(reducer), b"0", payload)
    if not background or when is None:
        raise InvalidDataError("a job with a time is a background job: pass background=True")
    return SubmitJobEpoch(name, unique, b"%d" % to_epoch(when), payload)
