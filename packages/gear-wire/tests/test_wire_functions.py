import copy
import datetime
import decimal
import enum
import pickle
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gear_wire.errors import ConfigurationError, GearmanError, InvalidDataError
from gear_wire.functions import (
    App,
    Function,
    InvalidArgumentsError,
    RemoteError,
    Retries,
    StreamFunction,
    current_job,
)
from gear_wire.functions.failures import Failure, decode_failure, encode_failure

app = App()
packed = App(encoding="msgpack")


class Thumbnail(msgspec.Struct):
    width: int
    data: bytes


class OutOfStock(Exception):
    pass


@app.function()
def thumbnail(image: bytes, width: int = 128) -> Thumbnail:
    return Thumbnail(width, image)


@packed.function("thumbnail")
def packed_thumbnail(image: bytes, width: int = 128) -> Thumbnail:
    return Thumbnail(width, image)


@app.function("mail.send", raises=[OutOfStock], retries=2)
async def send_mail(to: str, /, subject: str, *, cc: list[str] | None = None) -> None:
    pass


@app.function()
def shout(text: str) -> str:
    return text.upper()


@app.function()
def flip(data: bytes) -> bytes:
    return data[::-1]


@app.function()
def count(limit: int) -> Iterator[int]:
    yield from range(limit)


@app.function()
async def count_slowly(limit: int) -> AsyncIterator[int]:
    for number in range(limit):
        yield number


def test_it_runs_here_when_it_is_called() -> None:
    assert thumbnail(b"image", width=3) == Thumbnail(3, b"image")
    assert list(count(3)) == [0, 1, 2]
    assert thumbnail.__name__ == "thumbnail"


@given(image=st.binary(), width=st.integers(-(1 << 63), (1 << 63) - 1))
def test_arguments_and_results_arrive_as_they_left(image: bytes, width: int) -> None:
    for function in (thumbnail, packed_thumbnail):
        payload = function.encode(image, width=width)
        args, kwargs = function.codec.decode_arguments(payload)
        assert (args, kwargs) == ([], {"image": image, "width": width})
        result = Thumbnail(width, image)
        assert function.decode(function.codec.encode_result(result)) == result


def test_what_a_call_leaves_out_is_left_to_the_function() -> None:
    payload = thumbnail.encode(b"image")
    assert payload == b'{"image":"aW1hZ2U="}'
    assert thumbnail.codec.decode_arguments(payload) == ([], {"image": b"image"})


def test_positions_count_where_the_function_wants_them() -> None:
    payload = send_mail.encode("you", "hello", cc=["me"])
    assert send_mail.codec.decode_arguments(payload) == (
        ["you"],
        {"subject": "hello", "cc": ["me"]},
    )


def test_an_array_is_taken_as_positional_arguments() -> None:
    args, kwargs = thumbnail.codec.decode_arguments(b'["aW1hZ2U=",5]')
    assert (args, kwargs) == ([], {"image": b"image", "width": 5})


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"image":"","width":"wide"}', r"^\$\.width: expected int, got str$"),
        (b'{"image":5}', r"^\$\.image: expected bytes, got int$"),
        (b'["",1.5]', r"^\$\.width: expected int, got float$"),
        (b"{}", r"^thumbnail\(\) missing 1 required positional argument: 'image'$"),
        (
            b'{"image":"","colour":1}',
            r"^thumbnail\(\) got an unexpected keyword argument 'colour'$",
        ),
        (b'["",1,2]', r"^thumbnail\(\) takes from 1 to 2 positional arguments but 3 were given$"),
        (
            b"5",
            r"^thumbnail: the arguments are an object or an array: \$: expected object \| array, "
            "got int$",
        ),
        (b"{", r"^thumbnail: the payload is invalid: Input data was truncated$"),
        (b"[" * 5000, r"^thumbnail: the payload is invalid: "),
        (b"", r"^thumbnail\(\) missing 1 required positional argument: 'image'$"),
    ],
)
def test_a_wrong_payload_is_refused_with_what_is_wrong(payload: bytes, reason: str) -> None:
    with pytest.raises(InvalidArgumentsError, match=reason):
        thumbnail.codec.decode_arguments(payload)


@given(st.binary())
def test_no_payload_raises_anything_else(payload: bytes) -> None:
    for function in (thumbnail, packed_thumbnail, send_mail, shout, count):
        try:
            function.codec.decode_arguments(payload)
        except InvalidArgumentsError:
            pass


def test_a_wrong_call_is_refused_before_anything_is_sent() -> None:
    wrong: Callable[..., bytes] = thumbnail.encode
    for arguments, reason in [((), "missing"), ((b"", 1, 2), "from 1 to 2 positional")]:
        with pytest.raises(TypeError, match=reason):
            wrong(*arguments)


@pytest.mark.parametrize("data", [b'{"width":"x","data":""}', b"{", b"\xff", b""])
def test_a_wrong_result_is_named(data: bytes) -> None:
    with pytest.raises(InvalidDataError, match="the result of thumbnail"):
        thumbnail.decode(data)


def test_bytes_and_text_travel_as_they_are() -> None:
    assert flip.encode(b"\0\xff") == b"\0\xff"
    assert flip.codec.decode_arguments(b"\0\xff") == ([b"\0\xff"], {})
    assert flip.decode(b"\xff") == b"\xff"
    assert shout.encode(text="hé") == "hé".encode()
    assert shout.decode("HÉ".encode()) == "HÉ"
    with pytest.raises(InvalidArgumentsError, match="expected text in UTF-8"):
        shout.codec.decode_arguments(b"\xff")


def test_what_yields_is_a_stream_of_items() -> None:
    assert isinstance(count, StreamFunction)
    assert isinstance(count_slowly, StreamFunction)
    assert count.decode_item(count.codec.encode_result(7)) == 7


def test_using_changes_calls_and_nothing_else() -> None:
    later = thumbnail.using(background=True, unique="me", timeout=3)
    assert later.call_options.background
    assert later.using(unique=None).call_options.unique is None
    assert later.using(unique=None).call_options.background
    assert not thumbnail.call_options.background
    assert later.encode(b"") == thumbnail.encode(b"")


def test_a_declared_exception_is_raised_as_itself() -> None:
    declared = send_mail.options.raises
    data = encode_failure(OutOfStock("socks", 3), declared, tracebacks=False)
    error = decode_failure(data, "mail.send", declared)
    assert isinstance(error, OutOfStock)
    assert error.args == ("socks", 3)


def test_any_other_is_a_remote_error_with_type_and_message() -> None:
    data = encode_failure(KeyError("socks"), send_mail.options.raises, tracebacks=False)
    error = decode_failure(data, "mail.send", send_mail.options.raises)
    assert isinstance(error, RemoteError)
    assert (error.type, error.message, error.traceback) == ("KeyError", "'socks'", None)
    assert str(error) == "mail.send: KeyError: 'socks'"
    for copied in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (copied.type, str(copied), copied.exception) == ("KeyError", str(error), data)


def test_a_traceback_travels_when_it_is_asked_for() -> None:
    try:
        thumbnail(b"", **{"width": 1 // 0})
    except ZeroDivisionError as error:
        data = encode_failure(error, (), tracebacks=True)
    failed = decode_failure(data, "thumbnail", ())
    assert isinstance(failed, RemoteError)
    assert failed.traceback is not None
    assert "1 // 0" in failed.traceback


def test_text_of_another_kind_of_worker_is_the_message() -> None:
    error = decode_failure(b"it broke \xff", "thumbnail", ())
    assert isinstance(error, RemoteError)
    assert (error.type, error.message) == ("", "it broke \ufffd")


def test_arguments_that_cannot_travel_are_left_behind() -> None:
    data = encode_failure(OutOfStock(object()), (OutOfStock,), tracebacks=False)
    assert msgspec.json.decode(data, type=Failure).args is None
    assert isinstance(decode_failure(data, "f", (OutOfStock,)), OutOfStock)


def test_names_are_taken_once() -> None:
    twice = App()
    twice.function("a")(lambda: None)
    with pytest.raises(ConfigurationError, match="has a function a already"):
        twice.function("a")(lambda: None)


def test_a_declaration_is_implemented_elsewhere() -> None:
    ours = App()

    @ours.declaration("images.resize")
    def resize(image: bytes, width: int) -> Thumbnail:
        raise NotImplementedError

    assert ours.runnable() == {}
    theirs = App()

    @theirs.implements(resize, concurrency=2)
    def resize_well(image: bytes, width: int) -> Thumbnail:
        return Thumbnail(width, image)

    assert theirs.runnable() == {"images.resize": resize_well}
    assert resize_well.options.concurrency == 2


def test_signatures_that_cannot_travel_are_refused() -> None:
    wrong = App()

    @wrong.function()
    def anything(*things: int) -> None: ...

    with pytest.raises(ConfigurationError, match=r"anything: \*things: int takes any number"):
        wrong.check()


@pytest.mark.parametrize(
    "options", [{"timeout": 0}, {"rate": -1}, {"concurrency": 0}, {"retries": -1}]
)
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        App().function("f", **options)  # type: ignore[arg-type]  # whichever it is


@given(
    count=st.integers(0, 9),
    attempt=st.integers(1, 200),
    chance=st.floats(0, 1),
    most=st.floats(0, 9),
)
def test_a_delay_never_exceeds_its_bounds(
    count: int, attempt: int, chance: float, most: float
) -> None:
    retries = Retries(count, backoff=0.5, longest=most)
    delay = retries.delay(attempt, ValueError(), chance)
    if attempt > count:
        assert delay is None
    else:
        assert delay is not None
        assert 0 <= delay <= most


def test_only_what_may_be_tried_again_is() -> None:
    retries = Retries(3, jitter=0, on=(OSError,))
    assert retries.delay(1, ValueError(), 0) is None
    assert [retries.delay(attempt, OSError(), 0.5) for attempt in (1, 2, 3, 4)] == [1, 2, 4, None]


def test_every_takes_cron_expressions_and_seconds() -> None:
    timed = App()

    @timed.every("*/5 * * * *", missed="once")
    @timed.every(30)
    @timed.function()
    def sweep() -> None: ...

    assert [(entry.cron, entry.seconds) for entry in timed.schedule] == [
        ("", 30.0),
        ("*/5 * * * *", 0.0),
    ]
    assert timed.schedule[0].unique(60) == "every:sweep:60"
    for wrong in ("* * *", "61 * * * *", 0, -5):
        with pytest.raises(ConfigurationError, match=r"^sweep: "):
            timed.every(wrong)(sweep)


def test_no_job_runs_here() -> None:
    with pytest.raises(GearmanError, match="where no job runs"):
        current_job()


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Everything(msgspec.Struct):
    colour: Colour
    when: datetime.datetime
    id: uuid.UUID
    price: decimal.Decimal
    parts: dict[int, tuple[bool, str | None]]
    names: frozenset[str]
    inner: "Everything | None" = None


TEXT = st.text(st.characters(codec="utf-8"), max_size=9)
LEAVES = st.builds(
    Everything,
    colour=st.sampled_from(Colour),
    when=st.datetimes(timezones=st.just(datetime.UTC)),
    id=st.uuids(),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    parts=st.dictionaries(st.integers(-9, 9), st.tuples(st.booleans(), st.none() | TEXT)),
    names=st.frozensets(TEXT),
    inner=st.none(),
)
EVERYTHING = LEAVES | st.builds(
    lambda outer, inner: msgspec.structs.replace(outer, inner=inner), LEAVES, LEAVES
)


@app.function()
def everything(
    things: list[Everything], flag: bool | None = None, *, weights: dict[str, float]
) -> dict[str, Everything]:
    return {thing.id.hex: thing for thing in things}


packed_everything = packed.function("everything")(everything.body)


@settings(suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(
    things=st.lists(EVERYTHING, max_size=3),
    flag=st.none() | st.booleans(),
    weights=st.dictionaries(TEXT, st.floats(allow_nan=False, allow_infinity=False)),
)
def test_all_kinds_of_values_arrive_as_they_left(
    things: list[Everything], flag: bool | None, weights: dict[str, float]
) -> None:
    for function in (everything, packed_everything):
        payload = function.encode(things, flag, weights=weights)
        given_args = function.codec.decode_arguments(payload)
        assert given_args == ([], {"things": things, "flag": flag, "weights": weights})
        traced = function.codec.encode_arguments((things, flag), {"weights": weights}, {"x": "y"})
        assert function.codec.decode_arguments(traced) == given_args
        assert function.codec.decode_beside(traced) == {"x": "y"}
        result = function.body(things, flag, weights=weights)
        assert function.decode(function.codec.encode_result(result)) == result


def test_annotations_may_be_text() -> None:
    source = """
from __future__ import annotations
import typing
from collections.abc import AsyncIterator, Iterator
from gear_wire.functions import App
app = App()
@app.declaration()
def items(limit: Number) -> Iterator[Number]:
    raise NotImplementedError
@app.declaration()
def slow_items(limit: Number) -> typing.AsyncIterator[Number]:
    raise NotImplementedError
@app.declaration()
def one(limit: Number) -> list[Number]:
    raise NotImplementedError
Alias = Iterator[int]
@app.declaration()
def hidden() -> Alias:
    raise NotImplementedError
Number = int
"""
    namespace: dict[str, object] = {"__name__": "texts"}
    exec(source, namespace)
    written = namespace["app"]
    assert isinstance(written, App)
    kinds = {name: type(function) for name, function in written.functions.items()}
    assert kinds == {
        "items": StreamFunction,
        "slow_items": StreamFunction,
        "one": Function,
        "hidden": Function,
    }
    assert written.functions["items"].codec.kind == "stream"
    with pytest.raises(ConfigurationError, match="hidden: write the type of its items in its"):
        written.check()


def test_a_type_that_there_is_not() -> None:
    wrong = App()

    @wrong.function()
    def lost(number: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821  (on purpose)

    with pytest.raises(ConfigurationError, match="lost: a type in its signature is unknown"):
        wrong.check()


def test_a_decorator_needs_its_parentheses() -> None:
    decorate: Callable[..., object] = App().function
    with pytest.raises(TypeError, match=r"write @app\.function\(\), with parentheses"):
        decorate(lambda: None)


def test_a_subclass_of_a_declared_exception_arrives_as_the_declared_one() -> None:
    class SoldOut(OutOfStock):
        pass

    data = encode_failure(SoldOut("socks"), (OutOfStock,), tracebacks=False)
    error = decode_failure(data, "f", (OutOfStock,))
    assert (type(error), error.args) == (OutOfStock, ("socks",))


def test_arguments_that_json_would_change_stay_behind() -> None:
    for args in ((b"bytes",), (("a", "tuple"),), (float("nan"),), ({1: 2},)):
        data = encode_failure(OutOfStock(*args), (OutOfStock,), tracebacks=False)
        assert msgspec.json.decode(data, type=Failure).args is None, args


def test_a_constructor_that_takes_something_else() -> None:
    class Strict(Exception):
        def __init__(self, *, code: int) -> None:
            super().__init__(code)

    data = encode_failure(Strict(code=5), (Strict,), tracebacks=False)
    error = decode_failure(data, "f", (Strict,))
    assert isinstance(error, RemoteError)
    assert (error.type, error.message) == ("Strict", "5")


def test_whatever_an_exception_says_of_itself_can_be_sent() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    for error, message in [
        (ValueError("\ud800"), r"\ud800"),
        (Mute(), "<its text cannot be had: ValueError>"),
    ]:
        data = encode_failure(error, (Mute, ValueError), tracebacks=True)
        assert msgspec.json.decode(data, type=Failure).message == message


@given(st.binary())
def test_any_data_of_an_exception_is_one(data: bytes) -> None:
    assert isinstance(decode_failure(data, "f", (OutOfStock,)), RemoteError | OutOfStock)


def test_every_is_for_functions_of_the_app() -> None:
    other = App()
    with pytest.raises(ConfigurationError, match="not a function of this app"):
        other.every(60)(App().function("tidy")(lambda: None))


def test_only_a_declaration_is_implemented() -> None:
    def plain() -> None: ...

    with pytest.raises(TypeError, match=r"made with @app\.function\(\), not <function"):
        App().implements(plain)  # type: ignore[call-overload]  # what it is about


def test_every_stands_above_function() -> None:
    app = App()

    def tidy() -> None: ...

    with pytest.raises(
        ConfigurationError, match=r"tidy .*: write @app\.every above @app\.function"
    ):
        app.function()(app.every(60)(tidy))  # type: ignore[type-var, arg-type]  # what it is about
    with pytest.raises(TypeError, match=r"write @app\.every\(\.\.\.\)"):
        app.every(tidy)  # type: ignore[arg-type]  # what it is about
    assert app.schedule == []
