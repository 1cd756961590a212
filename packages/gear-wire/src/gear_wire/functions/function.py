"""A typed function: its name, its signature, and how a call of it is submitted and run."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar, Final, Generic, ParamSpec, Self, TypeVar, cast

import msgspec

from gear_wire.constants import PRECEDENCE_NORMAL
from gear_wire.errors import ConfigurationError, InvalidDataError
from gear_wire.functions.coding import Codec, Encoding, Kind, explain, is_asynchronous, make_codec
from gear_wire.functions.retries import Retries

P = ParamSpec("P")
Local_co = TypeVar("Local_co", covariant=True)
Result_co = TypeVar("Result_co", covariant=True)
Item_co = TypeVar("Item_co", covariant=True)


class FunctionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a function is run; the same for all calls of it.

    Attributes:
        timeout: Seconds that one try may take; None for no limit.
        retries: When a try that raised is followed by another.
        raises: The exceptions that callers see as themselves.
        rate: How often a second one worker begins it at the most; None for no limit.
        concurrency: How many of its jobs one worker runs at a time; None for no limit of its own.
    """

    timeout: float | None = None
    retries: Retries = Retries(0)
    raises: tuple[type[Exception], ...] = ()
    rate: float | None = None
    concurrency: int | None = None


class CallOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a call is submitted; `Function.using` sets them.

    Attributes:
        background: Whether nobody waits for its end.
        unique: A key by which the server coalesces equal calls; None for none.
        precedence: PRECEDENCE_NORMAL, PRECEDENCE_LOW or PRECEDENCE_HIGH.
        when: The time to run it at; background calls only.
        timeout: Seconds that a call may take in all; None for no limit.
    """

    background: bool = False
    unique: str | bytes | None = None
    precedence: int = PRECEDENCE_NORMAL
    when: float | datetime | None = None
    timeout: float | None = None


_KEEP: Final = msgspec.UNSET


class Function(Generic[P, Local_co, Result_co]):
    """A function that clients call and workers run; `App.function` makes it.

    Called, it runs here and now, as the function that was decorated: a unit test needs no server.

    Args:
        name: The name by which clients and workers know it.
        body: The function itself.
        options: How it is run.
        encoding: How arguments and results are written.
        tracebacks: Whether exceptions say where they were raised.
        trace_context: Whether its calls carry the context of a trace.

    Attributes:
        asynchronous: Whether it is run on an event loop.
        call_options: How a call is submitted.
    """

    kind: ClassVar[Kind] = "value"

    def __init__(
        self,
        name: str,
        body: Callable[P, Local_co],
        options: FunctionOptions,
        encoding: Encoding = "json",
        tracebacks: bool = False,
        trace_context: bool = True,
    ) -> None:
        self.name: str = name
        self.body: Callable[P, Local_co] = body
        self.options: FunctionOptions = options
        self.encoding: Encoding = encoding
        self.tracebacks: bool = tracebacks
        self.trace_context: bool = trace_context
        self.asynchronous: bool = is_asynchronous(body)
        self.call_options: CallOptions = CallOptions()
        self._codec: Codec | None = None
        self.__name__: str = getattr(body, "__name__", name)
        self.__qualname__: str = getattr(body, "__qualname__", name)
        self.__module__: str = getattr(body, "__module__", "")
        self.__doc__: str | None = body.__doc__
        self.__wrapped__: Callable[P, Local_co] = body

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Local_co:
        """Run the function here."""
        return self.body(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<gear.{type(self).__name__} {self.name}>"

    @property
    def codec(self) -> Codec:
        """How its arguments and results are written, made of its signature when first asked for.

        Raises:
            ConfigurationError: A parameter or the result has no type, or one that cannot travel.
        """
        if self._codec is None:
            codec = make_codec(self.body, self.name, self.encoding)
            if codec.kind != self.kind:
                raise ConfigurationError(
                    f"{self.name}: write the type of its items in its signature itself, such as "
                    f"-> Iterator[int]"
                )
            self._codec = codec
        return self._codec

    def using(
        self,
        *,
        background: bool | msgspec.UnsetType = _KEEP,
        unique: str | bytes | msgspec.UnsetType | None = _KEEP,
        precedence: int | msgspec.UnsetType = _KEEP,
        when: float | datetime | msgspec.UnsetType | None = _KEEP,
        timeout: float | msgspec.UnsetType | None = _KEEP,
    ) -> Self:
        """Return the same function, with other options for its calls.

        Args:
            background: Whether nobody waits for its end; nothing is heard of it then.
            unique: A key by which the server coalesces equal calls; None for none.
            precedence: PRECEDENCE_NORMAL, PRECEDENCE_LOW or PRECEDENCE_HIGH.
            when: The time to run it at, as seconds since 1970 or a datetime with time zone;
                background calls only.
            timeout: Seconds that a call may take in all; None for no limit.
        """
        given = {
            "background": background,
            "unique": unique,
            "precedence": precedence,
            "when": when,
            "timeout": timeout,
        }
        changes = {name: value for name, value in given.items() if value is not _KEEP}
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.call_options = msgspec.structs.replace(self.call_options, **changes)
        return other

    def encode(self, *args: P.args, **kwargs: P.kwargs) -> bytes:
        """Return the payload of a call.

        Raises:
            TypeError: The arguments do not fit the function, as Python says it.
        """
        return self.codec.encode_arguments(args, kwargs)

    def decode(self, data: bytes) -> Result_co:
        """Return the result that a worker sent.

        Raises:
            InvalidDataError: It is none of this function's.
        """
        return cast(Result_co, self._decode(data))

    def decode_parts(self, parts: Sequence[bytes], last: bytes) -> Result_co:
        """Return the result of all that a worker sent.

        Args:
            parts: The data of each WORK_DATA and of the WORK_COMPLETE, without empty ones.
            last: The data of the WORK_COMPLETE. It is the result, and WORK_DATA is news; but of a
                raw function, and of workers that send nothing with it, all parts are.

        Raises:
            InvalidDataError: It is none of this function's.
        """
        return self.decode(last if last and not self.codec.raw else b"".join(parts))

    def _decode(self, data: bytes) -> object:
        try:
            return self.codec.decode_result(data)
        except msgspec.ValidationError as error:
            raise InvalidDataError(f"the result of {self.name}: {explain(error)}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidDataError(f"the result of {self.name} is invalid: {error}") from error


class StreamFunction(Function[P, Local_co, list[Item_co]], Generic[P, Local_co, Item_co]):
    """A function that yields its result in parts: each is sent when it is there."""

    kind: ClassVar[Kind] = "stream"

    def decode_item(self, data: bytes) -> Item_co:
        """Return one part of the result; raises as `decode` does."""
        return cast(Item_co, self._decode(data))

    def decode_parts(self, parts: Sequence[bytes], last: bytes) -> list[Item_co]:
        """Return all parts of the result; raises as `decode` does."""
        return [self.decode_item(part) for part in parts]


AnyFunction = Function[..., object, object]


def check_function(given: object) -> None:
    """Raise TypeError for a function that no app has made one of its own."""
    if not isinstance(given, Function):
        raise TypeError(f"function must be one of an app, made with @app.function(), not {given!r}")


def check_foreground(function: AnyFunction) -> None:
    """Raise InvalidDataError for a call whose result nobody would hear of."""
    check_function(function)
    if function.call_options.background:
        raise InvalidDataError(
            f"{function.name} is called in the background, where nobody hears of its result: use "
            "start() instead of call()"
        )
