"""What a call gives a function, against what Python itself says of it."""

import inspect
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gear_wire.functions import App, InvalidArgumentsError
from gear_wire.functions.arguments import Arguments

Call = tuple[tuple[object, ...], dict[str, object]]


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
