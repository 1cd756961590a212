"""An app: the functions that clients and workers share, by name."""

import inspect
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Iterator,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar, cast, overload

from gear_wire.errors import ConfigurationError
from gear_wire.functions.coding import Encoding, is_stream
from gear_wire.functions.execution import Middleware
from gear_wire.functions.function import (
    AnyFunction,
    Function,
    FunctionOptions,
    StreamFunction,
    check_function,
)
from gear_wire.functions.lifespan import Lifespan
from gear_wire.functions.retries import Retries, check_exceptions, to_retries
from gear_wire.functions.schedule import Every, Missed, to_every
from gear_wire.jobs import to_function_name

if TYPE_CHECKING:
    from gear_wire.functions.testing import Testing

P = ParamSpec("P")
Result = TypeVar("Result")
Item = TypeVar("Item")
State = TypeVar("State")


class Decorator(Protocol):
    """What makes a `Function` of a function."""

    @overload
    def __call__(
        self, body: Callable[P, Coroutine[object, object, Result]], /
    ) -> Function[P, Coroutine[object, object, Result], Result]: ...

    @overload
    def __call__(
        self, body: Callable[P, AsyncIterator[Item]], /
    ) -> StreamFunction[P, AsyncIterator[Item], Item]: ...

    @overload
    def __call__(
        self, body: Callable[P, Iterator[Item]], /
    ) -> StreamFunction[P, Iterator[Item], Item]: ...

    @overload
    def __call__(self, body: Callable[P, Result], /) -> Function[P, Result, Result]: ...


class Implementation(Protocol[P, Result]):
    """What makes a function run what was declared; its body may be asynchronous or not."""

    @overload
    def __call__(
        self, body: Callable[P, Coroutine[object, object, Result]], /
    ) -> Function[P, Coroutine[object, object, Result], Result]: ...

    @overload
    def __call__(self, body: Callable[P, Result], /) -> Function[P, Result, Result]: ...


class StreamImplementation(Protocol[P, Item]):
    """What makes a function run a stream that was declared; asynchronous or not."""

    @overload
    def __call__(
        self, body: Callable[P, AsyncIterator[Item]], /
    ) -> StreamFunction[P, AsyncIterator[Item], Item]: ...

    @overload
    def __call__(
        self, body: Callable[P, Iterator[Item]], /
    ) -> StreamFunction[P, Iterator[Item], Item]: ...


MiddlewareT = TypeVar("MiddlewareT", bound=Middleware)
DueT = TypeVar("DueT", bound=Function[[], object, object])


class App:
    """The functions that clients and workers share, by name.

    Args:
        encoding: How arguments and results are written: ``json``, which other languages read, or
            ``msgpack``. A function of one argument and a result that are bytes or text sends both
            as they are.
        tracebacks: Whether exceptions tell clients where they were raised.
        trace_context: Whether calls that are traced with OpenTelemetry carry their trace's context,
            beside the arguments; False for workers of other kinds that refuse it.

    Attributes:
        functions: The functions by name, those that are only declared too.
        schedule: What is due when, see `every`.
        middlewares: What is entered around each call, the first outermost.
        span: What is entered while a worker runs; None for nothing.

    Raises:
        ConfigurationError: The encoding is unknown.
    """

    def __init__(
        self, *, encoding: Encoding = "json", tracebacks: bool = False, trace_context: bool = True
    ) -> None:
        if encoding not in ("json", "msgpack"):
            raise ConfigurationError(f"encoding is 'json' or 'msgpack', not {encoding!r}")
        self.encoding: Encoding = encoding
        self.tracebacks: bool = tracebacks
        self.trace_context: bool = trace_context
        self.functions: dict[str, AnyFunction] = {}
        self.schedule: list[Every] = []
        self.middlewares: list[Middleware] = []
        self.span: Lifespan[object] | None = None
        self._declared: set[str] = set()

    def __repr__(self) -> str:
        return f"<gear.App functions: {', '.join(self.functions) or 'none'}>"

    def function(
        self,
        name: str | None = None,
        *,
        timeout: float | None = None,
        retries: Retries | int | None = None,
        raises: Sequence[type[Exception]] = (),
        rate: float | None = None,
        concurrency: int | None = None,
    ) -> Decorator:
        """Make what is decorated a function of this app.

        Args:
            name: Its name on the wire; by default, that in the source.
            timeout: Seconds that one try may take; None for no limit. The server is told, and takes
                the job back after that.
            retries: Tries after the first that raised: a number, or `Retries` to say more.
            raises: The exceptions that callers see as themselves, and not as RemoteError.
            rate: How often a second one worker begins it at the most.
            concurrency: How many of its jobs one worker runs at a time.

        Raises:
            ConfigurationError: The app has a function of this name, or an option is out of range.
        """
        options = self._options(timeout, retries, raises, rate, concurrency)
        return self._decorator(name, options, declared=False)

    def declaration(
        self, name: str | None = None, *, raises: Sequence[type[Exception]] = ()
    ) -> Decorator:
        """Declare a function that others run: what is decorated is its signature alone.

        Args:
            name: Its name on the wire; by default, that in the source.
            raises: The exceptions that callers see as themselves.

        Raises:
            ConfigurationError: The app has a function of this name.
        """
        return self._decorator(name, self._options(None, None, raises, None, None), declared=True)

    @overload
    def implements(  # type: ignore[overload-overlap]  # which it is, its class tells
        self,
        function: StreamFunction[P, object, Item],
        *,
        timeout: float | None = None,
        retries: Retries | int | None = None,
        rate: float | None = None,
        concurrency: int | None = None,
    ) -> StreamImplementation[P, Item]: ...

    @overload
    def implements(
        self,
        function: Function[P, object, Result],
        *,
        timeout: float | None = None,
        retries: Retries | int | None = None,
        rate: float | None = None,
        concurrency: int | None = None,
    ) -> Implementation[P, Result]: ...

    def implements(
        self,
        function: AnyFunction,
        *,
        timeout: float | None = None,
        retries: Retries | int | None = None,
        rate: float | None = None,
        concurrency: int | None = None,
    ) -> Callable[..., object]:
        """Make what is decorated run a function that was declared, with the same signature.

        Args:
            function: What was declared, in this app or in another.
            timeout: As for `function`.
            retries: As for `function`.
            rate: As for `function`.
            concurrency: As for `function`.

        Raises:
            ConfigurationError: The app runs a function of this name already.
        """
        check_function(function)
        options = self._options(timeout, retries, function.options.raises, rate, concurrency)

        def decorate(body: Callable[..., object]) -> AnyFunction:
            made = type(function)(
                function.name, body, options,
                function.encoding, self.tracebacks, function.trace_context,
            )  # fmt: skip
            self._add(made, declared=False)
            return made

        return decorate

    def _options(
        self,
        timeout: float | None,
        retries: Retries | int | None,
        raises: Sequence[type[Exception]],
        rate: float | None,
        concurrency: int | None,
    ) -> FunctionOptions:
        for what, value in {"timeout": timeout, "rate": rate, "concurrency": concurrency}.items():
            if value is not None and not value > 0:
                raise ConfigurationError(f"{what} must be positive, not {value!r}")
        return FunctionOptions(
            timeout=timeout,
            retries=to_retries(retries),
            raises=check_exceptions(raises),
            rate=rate,
            concurrency=concurrency,
        )

    def _decorator(self, name: str | None, options: FunctionOptions, declared: bool) -> Decorator:
        if callable(name):
            raise TypeError("write @app.function(), with parentheses")

        def decorate(body: Callable[..., object]) -> AnyFunction:
            chosen = body.__name__ if name is None else name
            to_function_name(chosen)
            kind = StreamFunction if is_stream(body) else Function
            made: AnyFunction = kind(
                chosen, body, options, self.encoding, self.tracebacks, self.trace_context
            )
            self._add(made, declared)
            return made

        return cast(Decorator, decorate)

    def _add(self, made: AnyFunction, declared: bool) -> None:
        if made.name in self.functions and made.name not in self._declared:
            raise ConfigurationError(f"the app has a function {made.name} already")
        self.functions[made.name] = made
        if declared:
            self._declared.add(made.name)
        else:
            self._declared.discard(made.name)

    def runnable(self) -> dict[str, AnyFunction]:
        """Return the functions that a worker can run: those that are not only declared."""
        return {name: known for name, known in self.functions.items() if name not in self._declared}

    def every(self, when: str | float, *, missed: Missed = "skip") -> Callable[[DueT], DueT]:
        """Have a function without arguments submitted at set times.

        Args:
            when: A cron expression of five fields, in UTC; or seconds.
            missed: What becomes of a time at which no worker was free: ``once`` runs its job late,
                and those that came due meanwhile not at all; ``skip`` leaves out what has not begun
                when the next time comes.

        Raises:
            ConfigurationError: It is no time at all, or the function is not one of this app. That
                an expression is never due, as on 30 February, ``gear-worker --check`` finds.
        """
        if callable(when):
            raise TypeError("write @app.every(...), with a cron expression or seconds")

        def decorate(function: DueT) -> DueT:
            # By identity: what is decorated may be a plain function, which has no name on the wire.
            if not any(known is function for known in self.functions.values()):
                raise ConfigurationError(
                    f"{function!r} is not a function of this app: write @app.every above "
                    "@app.function"
                )
            self.schedule.append(to_every(function.name, when, missed))
            return function

        return decorate

    @overload
    def lifespan(self, span: Callable[[], AbstractContextManager[State]]) -> Lifespan[State]: ...

    @overload
    def lifespan(
        self, span: Callable[[], AbstractAsyncContextManager[State]]
    ) -> Lifespan[State]: ...

    def lifespan(
        self,
        span: Callable[[], AbstractContextManager[State] | AbstractAsyncContextManager[State]],
    ) -> Lifespan[State]:
        """Have a context manager entered while a worker runs; functions find what it yields.

        Args:
            span: A function that returns a context manager, plain or asynchronous; it is entered
                once a worker process.

        Returns:
            What has the value for functions, as its `state`.

        Raises:
            ConfigurationError: The app has one already.
            TypeError: The function is a generator, and makes no context manager.
        """
        _check_manager(span, "lifespan")
        if self.span is not None:
            raise ConfigurationError("the app has a lifespan already")
        made = Lifespan(span)
        self.span = cast(Lifespan[object], made)
        return made

    def middleware(self, around: MiddlewareT) -> MiddlewareT:
        """Have a context manager entered around each call: for tracing, sessions, log fields.

        Args:
            around: Given the job, returns a context manager, which sees what the call raises. An
                asynchronous one can only go around asynchronous functions.

        Raises:
            TypeError: The function is a generator, and makes no context manager.
        """
        _check_manager(around, "middleware")
        self.middlewares.append(around)
        return around

    def testing(self) -> "Testing":
        """Return a context manager that gives a client which needs no server, for tests.

        Its calls go through all that a call goes through but a server: arguments and results are
        encoded and decoded, middleware and the lifespan are entered, exceptions arrive as clients
        raise them::

            with app.testing() as client:
                assert client.call(thumbnail, image, width=64).width == 64

        On asyncio, ``async with app.testing() as client`` gives the same to be awaited.
        """
        from gear_wire.functions.testing import Testing

        return Testing(self.runnable(), self.middlewares, self.span)

    def schema(self) -> dict[str, object]:
        """Return a document of OpenAPI 3.1 that says what the functions take and return.

        Descriptions are the first paragraphs of docstrings.

        Its ``components`` are the types, as JSON Schema; its ``x-functions`` has each function by
        name, with its ``arguments``, its ``result`` or ``items``, its ``encoding``, the
        ``exception`` that it may end with, and the names of those that it ``raises``.

        Raises:
            ConfigurationError: A type is unknown or cannot travel.
        """
        from gear_wire.functions.schema import schema_of

        return schema_of(self.functions.values())

    def check(self) -> None:
        """Look at all signatures now, and not at the first call.

        Raises:
            ConfigurationError: One has a type that is unknown or cannot travel.
        """
        for function in self.functions.values():
            _ = function.codec


def _check_manager(made: Callable[..., object], what: str) -> None:
    """Refuse a generator where what makes a context manager is wanted."""
    for is_one, decorator in (
        (inspect.isgeneratorfunction, "contextmanager"),
        (inspect.isasyncgenfunction, "asynccontextmanager"),
    ):
        if is_one(made):
            raise TypeError(
                f"{made.__name__} is a generator: write @contextlib.{decorator} between "
                f"@app.{what} and it"
            )
