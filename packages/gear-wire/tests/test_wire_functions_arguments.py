"""What a call gives a function, against what Python itself says of it."""

import inspect
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gear_wire.functions import App, InvalidArgumentsError
from gear_wire.functions.arguments import Arguments
from gear_wire.functions.coding import Encoding

Call = tuple[tuple[object, ...], dict[str, object]]


JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["@a", "@b", "a"]), inner),
).map(msgspec.json.encode)


def none() -> object:
    return {}


def one(a: int) -> object:
    return {"a": a}


def optional(a: int, b: int = 7) -> object:
    return {"a": a, "b": b}


def three(a: int, b: int, c: int) -> object:
    return {"a": a, "b": b, "c": c}


def placed(a: int, b: int = 7, /, c: int = 8) -> object:
    return {"a": a, "b": b, "c": c}


def named(a: int = 6, *, b: int, c: int = 8) -> object:
    return {"a": a, "b": b, "c": c}


def many(a: int, b: int = 7, c: int = 8, d: int = 9) -> object:
    return {"a": a, "b": b, "c": c, "d": d}


FUNCTIONS: list[Callable[..., object]] = [none, one, optional, three, placed, named, many]


@st.composite
def calls(draw: st.DrawFn) -> Call:
    args = tuple(range(draw(st.integers(0, 6))))
    names = draw(st.lists(st.sampled_from("abcde"), unique=True, max_size=4))
    return args, dict.fromkeys(names, 5)


def called(function: Callable[..., object], call: Call) -> object:
    """Return what a function makes of a call, or what Python says of it."""
    args, kwargs = call
    try:
        return function(*args, **kwargs)
    except TypeError as error:
        return str(error)


@pytest.mark.parametrize("function", FUNCTIONS)
@given(names=st.lists(st.sampled_from("abcde"), unique=True))
def test_arguments_by_name_as_python_would_say_it(
    function: Callable[..., object], names: list[str]
) -> None:
    arguments = Arguments(inspect.signature(function), function.__name__)
    given: dict[str, object] = dict.fromkeys(names, 5)
    misfit = arguments.misfit(given)
    # Python has the name of a positional-only argument as unknown; on the wire it is none.
    by_name = [name for name, kind in inspect.signature(function).parameters.items() if kind.kind]
    positional = [name for name in arguments.names if name not in by_name]
    unplaced = {name: value for name, value in given.items() if name not in positional}
    places: list[object] = [given[name] for name in positional if name in given]
    if len(places) == sum(name in given for name in positional[: len(places)]):
        expected = called(function, (tuple(places), unplaced))
        if misfit:
            assert misfit == expected
        else:
            args, kwargs = arguments.split(dict(given))
            assert function(*args, **kwargs) == expected


@pytest.mark.parametrize("function", FUNCTIONS)
@given(count=st.integers(0, 6))
def test_arguments_by_position_as_python_would_say_it(
    function: Callable[..., object], count: int
) -> None:
    arguments = Arguments(inspect.signature(function), function.__name__)
    misfit, given = arguments.by_position(range(count))
    expected = called(function, (tuple(range(count)), {}))
    if misfit:
        assert misfit == expected
    else:
        args, kwargs = arguments.split(given)
        assert function(*args, **kwargs) == expected


@pytest.mark.parametrize("function", FUNCTIONS)
@given(call=calls())
def test_a_call_is_refused_where_python_refuses_it(
    function: Callable[..., object], call: Call
) -> None:
    arguments = Arguments(inspect.signature(function), function.__name__)
    expected = called(function, call)
    try:
        bound = arguments.bind(*call)
    except TypeError as error:
        assert isinstance(expected, str)
        assert str(error).startswith(f"{function.__name__}() ")
    else:
        assert function(*bound.args, **bound.kwargs) == expected


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
@pytest.mark.parametrize("function", FUNCTIONS)
@given(call=calls(), by_position=st.booleans())
def test_a_payload_is_what_was_called(
    function: Callable[..., object], encoding: str, call: Call, by_position: bool
) -> None:
    app = App(encoding="json" if encoding == "json" else "msgpack")
    made = app.function()(function)
    encode = msgspec.json.encode if encoding == "json" else msgspec.msgpack.encode
    args, kwargs = call
    if by_position:
        expected, payload = called(function, (args, {})), encode(args)
    else:
        expected = called(function, call)
        if isinstance(expected, str):
            return
        payload = made.encode(*args, **kwargs)
    try:
        args, kwargs = made.codec.decode_arguments(payload)  # type: ignore[assignment]  # a list
    except InvalidArgumentsError as error:
        assert str(error) == expected
    else:
        assert function(*args, **kwargs) == expected


def test_what_is_left_out_between_positions_is_filled_in() -> None:
    app = App()
    body: Callable[..., object] = placed
    args, kwargs = app.function()(body).codec.decode_arguments(b'{"a": 1, "c": 3}')
    assert body(*args, **kwargs) == {"a": 1, "b": 7, "c": 3}

    @app.function()
    def late(a: int = 6, b: int = 7, /) -> list[int]:
        return [a, b]

    args, kwargs = late.codec.decode_arguments(b'{"b": 1}')
    assert (args, kwargs) == ([6, 1], {})


def test_positions_are_read_by_their_types() -> None:
    app = App()

    @app.function()
    def typed(data: bytes, counts: dict[int, float], numbers: set[int]) -> None: ...

    args, kwargs = typed.codec.decode_arguments(b'["aGk=", {"1": 2}, [3, 3]]')
    assert (args, kwargs) == ([], {"data": b"hi", "counts": {1: 2.0}, "numbers": {3}})
    for payload, reason in [
        (b'["aGk=", {"x": 2}, []]', r"^\$\.counts: expected int, got str, in a key$"),
        (b'["aGk=", {}, ["a"]]', r"^\$\.numbers\[0\]: expected int, got str$"),
    ]:
        with pytest.raises(InvalidArgumentsError, match=reason):
            typed.codec.decode_arguments(payload)


def test_nothing_at_all_is_no_arguments() -> None:
    for app in (App(), App(encoding="msgpack")):
        made = app.function()(none)
        assert made.codec.decode_arguments(b"") == ([], {})
        with pytest.raises(InvalidArgumentsError, match="missing 1 required positional argument"):
            app.function()(one).codec.decode_arguments(b"")


# What travels beside arguments


BESIDE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_what_travels_beside_arguments_is_none_of_them(encoding: Encoding) -> None:
    app = App(encoding=encoding)

    @app.function()
    def add(a: int, b: int = 2) -> int:
        return a + b

    codec = add.codec
    payload = codec.encode_arguments((5,), {}, BESIDE)
    assert payload != add.encode(5) == codec.encode_arguments((5,), {}, {})
    assert codec.decode_arguments(payload) == ([], {"a": 5})
    assert codec.decode_beside(payload) == BESIDE
    assert codec.decode_beside(add.encode(5)) == {}
    for wrong in (b"", b"\xc1", b"[1, 2]", b"\x91\x01", b'{"@a": tru', b'{"@a": "\xff"}', b"1"):
        assert codec.decode_beside(wrong) == {}


@given(st.binary() | st.binary().map(lambda some: b'{"@a":' + some) | JSON)
def test_whatever_a_payload_is_it_is_asked_what_travels_beside(payload: bytes) -> None:
    for encoding in ("json", "msgpack"):
        codec = App(encoding=encoding).function()(optional).codec
        assert isinstance(codec.decode_beside(payload), dict)


def test_whatever_is_beside_arguments_they_are_checked() -> None:
    app = App()

    @app.function()
    def add(a: int, b: int = 2) -> int:
        return a + b

    decode = add.codec.decode_arguments
    assert decode(b'{"b": 3, "@x": [{}], "a": 1, "@": null}') == ([], {"a": 1, "b": 3})
    for payload, complaint in {
        b'{"@x": 1}': r"^add\(\) missing 1 required positional argument: 'a'$",
        b'{"@x": 1, "a": "1"}': r"^\$\.a: expected int, got str$",
        b'{"@x": 1, "a": 1, "c": 1}': r"^add\(\) got an unexpected keyword argument 'c'$",
        b'{"@x": 1, "a": 1': "the payload is invalid",
    }.items():
        with pytest.raises(InvalidArgumentsError, match=complaint):
            decode(payload)


def test_raw_functions_have_no_room_beside_their_argument() -> None:
    app = App()

    @app.function()
    def shout(text: str) -> str:
        return text.upper()

    assert shout.codec.encode_arguments(("tea",), {}, BESIDE) == b"tea"
    assert shout.codec.decode_beside(b'{"@traceparent": ""}') == {}
