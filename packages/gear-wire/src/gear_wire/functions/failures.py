"""How an exception travels from a worker to a client: the data of WORK_EXCEPTION."""

import traceback
from collections.abc import Callable, Iterable
from types import TracebackType

import msgspec

from gear_wire.errors import InvalidDataError, JobFailedError


class InvalidArgumentsError(InvalidDataError, TypeError):
    """The arguments of a call do not fit the function."""


class Failure(msgspec.Struct, omit_defaults=True):
    """What a worker says of an exception, as JSON.

    Attributes:
        type: The name of its class.
        message: Its text.
        args: Its arguments, where JSON can say them and the function declares it.
        traceback: Where it was raised; for apps that ask for it.
    """

    type: str
    message: str = ""
    args: list[object] | None = None
    traceback: str | None = None


class RemoteError(JobFailedError):
    """A function raised in its worker.

    Args:
        failure: What the worker said.
        function: The function's name.
        exception: The data of the WORK_EXCEPTION.

    Attributes:
        type: The name of the exception's class; empty when a worker of another kind said a text.
        message: Its text.
        traceback: Where it was raised; None unless the app asks for tracebacks.
        function: The function's name.
    """

    def __init__(self, failure: Failure, function: str, exception: bytes | None = None) -> None:
        what = f"{failure.type}: {failure.message}" if failure.type else failure.message
        super().__init__(f"{function}: {what}", exception)
        self.failure: Failure = failure
        self.function: str = function
        if failure.traceback:
            self.add_note(f"In the worker:\n{failure.traceback.rstrip()}")

    @property
    def type(self) -> str:
        """The name of the exception's class; empty when a worker of another kind said a text."""
        return self.failure.type

    @property
    def message(self) -> str:
        """The exception's text."""
        return self.failure.message

    @property
    def traceback(self) -> str | None:
        """Where it was raised; None unless the app asks for tracebacks."""
        return self.failure.traceback

    def __reduce__(self) -> "tuple[Callable[..., RemoteError], tuple[Failure, str, bytes | None]]":
        """Have copies made of what it was made of."""
        return self.__class__, (self.failure, self.function, self.exception)


def encode_failure(
    error: BaseException, declared: tuple[type[Exception], ...], tracebacks: bool
) -> bytes:
    """Return an exception as the data of WORK_EXCEPTION.

    Args:
        error: The exception.
        declared: The exceptions that clients raise as themselves: their arguments travel too.
        tracebacks: Whether to say where it was raised.
    """
    kind = next((known for known in type(error).__mro__ if known in declared), None)
    failure = Failure((kind or type(error)).__name__, text_of(error))
    if tracebacks:
        lines = traceback.format_exception(type(error), error, _users_part(error.__traceback__))
        failure.traceback = printable("".join(lines))
    if kind is not None:
        failure.args = _portable(list(error.args))
    return msgspec.json.encode(failure)


def timed_out(function: str, timeout: float | None) -> TimeoutError:
    """Return how a try ends that has taken longer than the function's timeout."""
    return TimeoutError(f"{function} took longer than {timeout} s")


def _users_part(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback from where it leaves this package; as a whole if it does not."""
    rest = trace
    while rest is not None and rest.tb_frame.f_globals.get("__package__") == __package__:
        rest = rest.tb_next
    return rest or trace


def text_of(error: BaseException) -> str:
    """Return the text of an exception, whatever its class says of itself."""
    try:
        return printable(str(error))
    except Exception as unprintable:  # its own __str__ is at fault
        return f"<its text cannot be had: {type(unprintable).__name__}>"


def printable(text: str) -> str:
    """Return a text as UTF-8 can carry it."""
    return text.encode(errors="backslashreplace").decode()


def _portable(args: list[object]) -> list[object] | None:
    """Return arguments that are the same after a journey as JSON; None for others."""
    try:
        same = msgspec.json.decode(msgspec.json.encode(args)) == args
    except Exception:  # whatever their own methods raise
        return None
    return args if same else None


def decode_failure(data: bytes, function: str, declared: Iterable[type[Exception]]) -> Exception:
    """Return the exception to raise for the data of a WORK_EXCEPTION, from whatever worker.

    Args:
        data: The data of the WORK_EXCEPTION.
        function: The function's name.
        declared: The exceptions that are raised as themselves. The RemoteError is their cause, and
            what is raised instead if one cannot be made of what the worker said.
    """
    try:
        failure = msgspec.json.decode(data, type=Failure)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        failure = Failure("", data.decode(errors="replace"))
    remote = RemoteError(failure, function, data)
    for known in declared:
        if known.__name__ == failure.type:
            try:
                error = known(*([failure.message] if failure.args is None else failure.args))
            except Exception:  # its constructor takes other arguments
                break
            error.__cause__ = remote
            return error
    return remote
