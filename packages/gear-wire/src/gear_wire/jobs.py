"""What the jobs of clients, workers and servers have in common; their states are elsewhere.

Jobs are ordinary open classes: programs hang attributes on them and subclass them.
"""

from gear_wire.errors import InvalidDataError
from gear_wire.escape import escaped, quoted
from gear_wire.types import ClientID, FunctionName, Handle, UniqueKey


def convert_to_bytes(data: str | bytes) -> bytes:
    """Return text as UTF-8, and bytes as they are.

    Raises:
        TypeError: `data` is neither.
    """
    return to_bytes(data, "data")


def to_bytes(value: object, what: str) -> bytes:
    """Return text as UTF-8 and bytes as they are; raises a TypeError for anything else."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        # Text that was not valid UTF-8 was read with surrogates: it leaves as it came.
        return value.encode(errors="surrogateescape")
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"{what} must be bytes or str, not {type(value).__name__}")


def to_payload(value: str | bytes | bytearray | memoryview) -> bytes:
    """Return a job's arguments or data as bytes, text as UTF-8; TypeError for anything else."""
    return to_bytes(value, "arguments or data of a job")


def to_function_name(name: str | bytes) -> FunctionName:
    """Return a function's name as it goes into a packet.

    Raises:
        TypeError: The name is neither str nor bytes.
        InvalidDataError: The name is empty or holds a NUL, which separates arguments.
    """
    value = to_bytes(name, "a function name")
    if not value:
        raise InvalidDataError("a function name must not be empty")
    return FunctionName(_without_nul(value, "a function name"))


def to_unique_key(unique: str | bytes) -> UniqueKey:
    """Return a unique as it goes into a packet; raises as `to_function_name` does for a NUL."""
    return UniqueKey(_without_nul(to_bytes(unique, "a unique"), "a unique"))


def to_handle(handle: str | bytes) -> Handle:
    """Return a job handle as it goes into a packet; raises as `to_function_name` does for a NUL."""
    return Handle(_without_nul(to_bytes(handle, "a job handle"), "a job handle"))


def to_client_id(client_id: str | bytes) -> ClientID:
    """Return a client's id as it goes into a packet; raises as `to_function_name` for a NUL."""
    return ClientID(_without_nul(to_bytes(client_id, "a client id"), "a client id"))


def to_option(option: str | bytes) -> bytes:
    """Return an option as it goes into a packet; raises as `to_function_name` does for a NUL."""
    return _without_nul(to_bytes(option, "an option"), "an option")


def _without_nul(value: bytes, what: str) -> bytes:
    if b"\0" in value:
        raise InvalidDataError(f"{what} must not hold a NUL byte: {value[:80]!r}")
    return value


class BaseJob:
    """A job's name, arguments, unique and handle.

    Args:
        name: The function to run; text is sent as UTF-8.
        arguments: The data for it; text is sent as UTF-8.
        unique: A key by which the server coalesces equal jobs; None for none.
        handle: What the server calls the job, once it does.

    Attributes:
        handle: The job handle as bytes; None before the server gave one.
        connection: The connection to the server that has the job; None before.
    """

    def __init__(
        self,
        name: str | bytes,
        arguments: str | bytes,
        unique: str | bytes | None = None,
        handle: bytes | None = None,
    ) -> None:
        self._name: FunctionName = to_function_name(name)
        self._arguments: bytes = to_payload(arguments)
        self._unique: UniqueKey | None = None if unique is None else to_unique_key(unique)
        self.handle: bytes | None = None if handle is None else to_handle(handle)
        self.connection: object | None = None

    @property
    def name(self) -> str:
        """The name of the function, as text."""
        return self._name.decode(errors="surrogateescape")

    @name.setter
    def name(self, name: str | bytes) -> None:
        self._name = to_function_name(name)

    @property
    def arguments(self) -> bytes:
        """The job's data."""
        return self._arguments

    @arguments.setter
    def arguments(self, arguments: str | bytes) -> None:
        self._arguments = to_payload(arguments)

    @property
    def unique(self) -> bytes | None:
        """The job's unique; None when it has none."""
        return self._unique

    @unique.setter
    def unique(self, unique: str | bytes | None) -> None:
        self._unique = None if unique is None else to_unique_key(unique)

    @property
    def binary_name(self) -> FunctionName:
        """The name of the function, as it is sent."""
        return self._name

    @property
    def binary_arguments(self) -> bytes:
        """The job's data, as it is sent."""
        return self._arguments

    @property
    def binary_unique(self) -> UniqueKey | None:
        """The job's unique, as it is sent."""
        return self._unique

    def __getstate__(self) -> tuple[dict[str, object], object]:
        """Return what copies and pickles are made of: a value, without the connection."""
        state = super().__getstate__()
        slots = state[1] if isinstance(state, tuple) else {}
        return self._copied_attributes(), slots

    def _copied_attributes(self) -> dict[str, object]:
        """Return the attributes of a copy; subclasses replace what belongs to this object alone."""
        return {**self.__dict__, "connection": None}

    def __repr__(self) -> str:
        return (
            f"<gear.{type(self).__name__} 0x{id(self):x} handle: {quoted(self.handle)} "
            f"name: {escaped(self._name)} unique: {quoted(self._unique)}>"
        )
