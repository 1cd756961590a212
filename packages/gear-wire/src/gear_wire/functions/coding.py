"""How a function's arguments and result are written as bytes, by its signature."""

import inspect
import operator
import re
import typing
from collections.abc import Callable, Coroutine, Mapping
from typing import Final, Literal, Protocol

import msgspec

from gear_wire.errors import ConfigurationError
from gear_wire.functions.arguments import Arguments, Bound
from gear_wire.functions.components import components_of
from gear_wire.functions.failures import InvalidArgumentsError

Encoding = Literal["json", "msgpack"]
Kind = Literal["value", "stream"]

_SHAPE: Final = list[msgspec.Raw] | dict[str, msgspec.Raw]
_AT: Final = re.compile(
    r"^(?P<what>.*?)(?: - at (?P<key>`key` in )?`(?P<path>[^`]*)`)?$", re.DOTALL
)
_WRITTEN_STREAM: Final = re.compile(r"(?:\w+\.)*(?:Async)?(?:Iterator|Generator)\[")
_BESIDE: Final = "@"
"""What members of a payload begin with that are no arguments: no parameter has such a name."""
_STREAMS: Final = {
    typing.get_origin(known)
    for known in (
        typing.Iterator[int],
        typing.Generator[int, None, None],
        typing.AsyncIterator[int],
        typing.AsyncGenerator[int, None],
    )
}


class Codec(Protocol):
    """Writes and reads what a function takes and returns.

    Attributes:
        raw: Whether the bytes are the argument and the result themselves.
        arguments_type: What is read of a payload, for a schema.
        result_type: What a result is, or an item of a stream.
        kind: Whether there is one result, or a stream of items.
    """

    raw: bool
    arguments_type: object
    result_type: object
    kind: Kind

    def encode_arguments(
        self,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        beside: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the payload of a call; TypeError when they do not fit, as Python says it.

        Args:
            args: The arguments by position.
            kwargs: The arguments by name.
            beside: What travels beside them, where there is room for it.
        """

    def decode_arguments(self, payload: bytes) -> Bound:
        """Return what to call the function with; InvalidArgumentsError when it does not fit."""

    def decode_beside(self, payload: bytes) -> Mapping[str, object]:
        """Return what travels beside the arguments; never raises, whatever the payload is."""

    def encode_result(self, value: object) -> bytes:
        """Return a result, or an item of a stream, as bytes."""

    def decode_result(self, data: bytes) -> object:
        """Return a result, or an item of a stream; raises what msgspec and UTF-8 raise."""


def explain(error: msgspec.ValidationError) -> str:
    """Return where a value does not fit and how: ``$.width: expected int, got str``."""
    found = _AT.match(str(error))
    if found is None:
        return str(error)
    what = found["what"].replace("`", "")
    where = ", in a key" if found["key"] else ""
    return f"{found['path'] or '$'}: {what[:1].lower()}{what[1:]}{where}"


def hints_of(function: Callable[..., object], name: str) -> dict[str, object]:
    """Return the types of a function's parameters and its result.

    Raises:
        ConfigurationError: One names what there is not.
    """
    try:
        return typing.get_type_hints(inspect.unwrap(function), include_extras=True)
    except (NameError, AttributeError, SyntaxError) as error:
        raise ConfigurationError(f"{name}: a type in its signature is unknown: {error}") from error


def make_codec(function: Callable[..., object], name: str, encoding: Encoding) -> Codec:
    """Return the codec of a function.

    Raises:
        ConfigurationError: A parameter or the result has no type, or one that cannot travel.
    """
    signature = inspect.signature(function)
    hints = hints_of(function, name)
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigurationError(
                f"{name}: {parameter} takes any number of arguments; name each, or take a list"
            )
        if parameter.name not in hints:
            raise ConfigurationError(f"{name}: the parameter {parameter.name} has no type")
    if "return" not in hints:
        raise ConfigurationError(f"{name}: its result has no type; -> None if it has none")
    result, kind = _result_of(hints["return"], inspect.iscoroutinefunction(function))
    types_in = [hints[parameter] for parameter in signature.parameters]
    if kind == "value" and types_in in ([bytes], [str]) and result in (bytes, str, type(None)):
        return RawCodec(signature, types_in[0], result, name)
    return StructCodec(signature, hints, result, kind, name, encoding)


def is_stream(function: Callable[..., object]) -> bool:
    """Tell whether a function yields its result in parts."""
    if inspect.iscoroutinefunction(function):
        return False
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return True
    # One that only declares, or returns an iterator: its type alone tells.
    hint = getattr(function, "__annotations__", {}).get("return")
    if isinstance(hint, str):
        return _WRITTEN_STREAM.match(hint) is not None
    return typing.get_origin(hint) in _STREAMS


def is_asynchronous(function: Callable[..., object]) -> bool:
    """Tell whether a function is to be run on an event loop."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _result_of(hint: object, asynchronous: bool) -> tuple[object, Kind]:
    origin = typing.get_origin(hint)
    if origin in _STREAMS and not asynchronous:
        return typing.get_args(hint)[0], "stream"
    if origin is not None and isinstance(origin, type) and issubclass(origin, Coroutine):
        return typing.get_args(hint)[2], "value"
    return hint, "value"


class RawCodec:
    """One argument of bytes or text, and a result of bytes or text: they travel as they are."""

    raw = True
    kind: Kind = "value"

    def __init__(
        self, signature: inspect.Signature, argument: object, result: object, name: str
    ) -> None:
        self.arguments_type: object = argument
        self.result_type: object = result
        self._name = name
        self._arguments = Arguments(signature, name)
        (self._parameter,) = signature.parameters.values()
        self._text = argument is str

    def encode_arguments(
        self,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        beside: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the payload of a call, which is one argument and has no room beside it."""
        bound = self._arguments.bind(args, kwargs)
        bound.apply_defaults()
        return self._encode(bound.arguments[self._parameter.name], self.arguments_type)

    def decode_arguments(self, payload: bytes) -> Bound:
        """Return what to call the function with; InvalidArgumentsError when it does not fit."""
        value: object = payload
        if self._text:
            try:
                value = payload.decode()
            except UnicodeDecodeError as error:
                raise InvalidArgumentsError(
                    f"{self._name}: expected text in UTF-8: {error}"
                ) from error
        if self._parameter.kind is self._parameter.KEYWORD_ONLY:
            return [], {self._parameter.name: value}
        return [value], {}

    def decode_beside(self, payload: bytes) -> Mapping[str, object]:
        """Return nothing: there is no room beside the argument."""
        return {}

    def _encode(self, value: object, wanted: object) -> bytes:
        if wanted is str and isinstance(value, str):
            return value.encode()
        if wanted is bytes and isinstance(value, bytes | bytearray | memoryview):
            return bytes(value)
        if wanted is type(None) and value is None:
            return b""
        expected = getattr(wanted, "__name__", "None")
        raise TypeError(f"{self._name}: expected {expected}, got {type(value).__name__}")

    def encode_result(self, value: object) -> bytes:
        """Return a result, or an item of a stream, as bytes."""
        return self._encode(value, self.result_type)

    def decode_result(self, data: bytes) -> object:
        """Return a result, or an item of a stream."""
        if self.result_type is str:
            return data.decode()
        return data if self.result_type is bytes else None


class StructCodec:
    """Arguments by name in an object of JSON or MessagePack, and a result in the same."""

    raw = False

    def __init__(
        self,
        signature: inspect.Signature,
        hints: Mapping[str, object],
        result: object,
        kind: Kind,
        name: str,
        encoding: Encoding,
    ) -> None:
        self.kind: Kind = kind
        self.result_type: object = result
        self._name = name
        self._arguments = Arguments(signature, name)
        try:
            struct = _arguments_struct(name, self._arguments, hints)
            self.arguments_type: object = struct
            self._encode: Callable[[object], bytes]
            if encoding == "json":
                self._encode = msgspec.json.Encoder().encode
                self._shape: Callable[[bytes], object] = msgspec.json.Decoder(_SHAPE).decode
                self._any: Callable[[bytes], object] = msgspec.json.Decoder().decode
                self._read: Callable[[bytes], object] = msgspec.json.Decoder(struct).decode
                self._result: Callable[[bytes], object] = msgspec.json.Decoder(result).decode
                self._nothing = b"{}"
            else:
                self._encode = msgspec.msgpack.Encoder().encode
                self._shape = msgspec.msgpack.Decoder(_SHAPE).decode
                self._any = msgspec.msgpack.Decoder().decode
                self._read = msgspec.msgpack.Decoder(struct).decode
                self._result = msgspec.msgpack.Decoder(result).decode
                self._nothing = b"\x80"
            components_of([struct, result])
        except (TypeError, NotImplementedError) as error:
            raise ConfigurationError(f"{name}: a type cannot travel: {error}") from error

    def encode_arguments(
        self,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        beside: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the payload of a call; TypeError when they do not fit, as Python says it."""
        arguments = self._arguments.bind(args, kwargs).arguments
        if not beside:
            return self._encode(arguments)
        # First, so that whoever does not expect them meets them before much is read in vain.
        return self._encode(
            {**{f"{_BESIDE}{name}": value for name, value in beside.items()}, **arguments}
        )

    def decode_arguments(self, payload: bytes) -> Bound:
        """Return what to call the function with; InvalidArgumentsError when it does not fit."""
        # Programs of others send nothing where there are no arguments.
        payload = payload or self._nothing
        try:
            try:
                values = self._read(payload)
            except msgspec.ValidationError as error:
                values = self._read_otherwise(payload, error)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidArgumentsError(f"{self._name}: the payload is invalid: {error}") from error
        return self._arguments.split(
            {
                name: value
                for name in self._arguments.names
                if (value := getattr(values, name)) is not msgspec.UNSET
            }
        )

    def decode_beside(self, payload: bytes) -> Mapping[str, object]:
        """Return what travels beside the arguments; never raises, whatever the payload is."""
        try:
            given = self._shape(payload)
            if isinstance(given, list):
                return {}
            return {
                name.removeprefix(_BESIDE): self._any(value)
                for name, value in typing.cast("dict[str, bytes]", given).items()
                if name.startswith(_BESIDE)
            }
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}

    def _read_otherwise(self, payload: bytes, error: msgspec.ValidationError) -> object:
        """Read positional arguments, or those beside which something travels; else say why not."""
        try:
            given = self._shape(payload)
        except msgspec.ValidationError as wrong:
            raise InvalidArgumentsError(
                f"{self._name}: the arguments are an object or an array: {explain(wrong)}"
            ) from error
        if isinstance(given, list):
            misfit, named = self._arguments.by_position(given)
        else:
            everything = typing.cast("dict[str, object]", given)
            named = {
                name: value for name, value in everything.items() if not name.startswith(_BESIDE)
            }
            misfit = self._arguments.misfit(named)
        if misfit:
            raise InvalidArgumentsError(misfit) from error
        if isinstance(given, list) or len(named) < len(everything):
            try:
                return self._read(self._encode(named))
            except msgspec.ValidationError as wrong:
                raise InvalidArgumentsError(explain(wrong)) from wrong
        raise InvalidArgumentsError(explain(error)) from error

    def encode_result(self, value: object) -> bytes:
        """Return a result, or an item of a stream, as bytes."""
        return self._encode(value)

    def decode_result(self, data: bytes) -> object:
        """Return a result, or an item of a stream."""
        value: object = self._result(data)
        return value


def _arguments_struct(
    name: str, arguments: Arguments, hints: Mapping[str, object]
) -> type[msgspec.Struct]:
    fields: list[tuple[str, object] | tuple[str, object, object]] = []
    for known in arguments.parameters:
        hint = hints[known.name]
        if known.default is known.empty:
            fields.append((known.name, hint))
        else:
            # What a call leaves out is left to the function, whose default it is.
            optional: object = operator.or_(hint, msgspec.UnsetType)
            fields.append((known.name, optional, msgspec.UNSET))
    return msgspec.defstruct(
        re.sub(r"[^\w.-]", "_", f"{name}.arguments"),
        fields,
        kw_only=True,
        forbid_unknown_fields=True,
    )
