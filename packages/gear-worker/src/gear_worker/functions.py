"""What a worker can do; telling the servers is in `session`."""

import math
from collections.abc import Iterable

from gear_wire.errors import InvalidDataError
from gear_wire.jobs import to_function_name
from gear_wire.packets import BasePacket, CanDo, CanDoTimeout
from gear_wire.types import FunctionName


class FunctionRecord:
    """A function that a worker registers.

    Args:
        name: The function's name; text is sent as UTF-8.
        timeout: Seconds that one of its jobs may run before the server takes it back; None for no
            limit. Bytes are milliseconds as they are sent, as gear 0.16 took them.

    Attributes:
        name: The name as bytes.
        timeout: As given.

    Raises:
        InvalidDataError: The name is empty or holds a NUL, or the timeout is not positive.
    """

    def __init__(self, name: str | bytes, timeout: float | bytes | None = None) -> None:
        self.name: FunctionName = to_function_name(name)
        self.timeout: float | bytes | None = timeout
        self.packet: BasePacket = self._packet()

    def _packet(self) -> BasePacket:
        if self.timeout is None:
            return CanDo(self.name)
        return CanDoTimeout(self.name, _milliseconds(self.timeout))

    def __repr__(self) -> str:
        return f"<gear.FunctionRecord 0x{id(self):x} name: {self.name!r} timeout: {self.timeout!r}>"


def check_records(functions: Iterable[FunctionRecord]) -> list[FunctionRecord]:
    """Return functions as a list.

    Raises:
        TypeError: One of them is no FunctionRecord, or they are none at all.
    """
    if not isinstance(functions, Iterable):
        raise TypeError(f"setFunctions takes FunctionRecords, not {functions!r}")
    records = list(functions)
    for record in records:
        if not isinstance(record, FunctionRecord):
            raise TypeError(f"setFunctions takes FunctionRecords, not {record!r}")
    return records


def _milliseconds(timeout: float | bytes) -> bytes:
    if isinstance(timeout, bytes):
        if not timeout.isdigit():
            raise InvalidDataError(f"a timeout in bytes is a number of milliseconds: {timeout!r}")
        return timeout
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"a timeout is a number of seconds, not {type(timeout).__name__}")
    if not 0 < timeout < math.inf:
        raise InvalidDataError(f"a timeout is a positive number of seconds, not {timeout!r}")
    return b"%d" % math.ceil(timeout * 1000)
