"""Spans of typed functions, for OpenTelemetry, and what travels of them with a call; pure.

opentelemetry-api is loaded when a runner starts, or a function is called for the first time. Where
it is not installed, nothing is done.
"""

import functools
import re
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from gear_wire.escape import escaped
from gear_wire.functions.current import CurrentJob
from gear_wire.functions.failures import printable, text_of, timed_out
from gear_wire.functions.function import AnyFunction
from gear_wire.jobs import to_bytes

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span as OpenSpan

Attributes = dict[str, str | int]

_PARENT: Final = "traceparent"
_STATE: Final = "tracestate"
_MARK: Final = b"@traceparent"
_PARENT_SIZE: Final = 55
_STATE_SIZE: Final = 512
_STATE_MEMBERS: Final = 32
# As the W3C's Trace Context has it. What does not fit would be logged by opentelemetry, each time.
_STATE_MEMBER: Final = re.compile(
    r"([a-z][_0-9a-z*/-]{0,255}|[a-z0-9][_0-9a-z*/-]{0,240}@[a-z][_0-9a-z*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_BY_PAYLOAD: Final = b"-"
"""The unique of jobs that a server merges if their payloads are equal."""


class Span:
    """What is recorded of a call: nothing.

    Attributes:
        carried: What travels with the call, beside its arguments.
    """

    __slots__ = ()
    carried: Mapping[str, str] = {}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""

    def taken(self, handle: bytes | None, server: object) -> None:
        """Note that a server has taken the job.

        Args:
            handle: What it calls the job.
            server: The connection to it.
        """

    def waiting(self, handle: bytes | None) -> "Span":
        """Return the span of waiting for the end of a job that was sent so."""
        return self

    def ended(self, error: BaseException | None) -> None:
        """Note how a try of the function ended.

        Args:
            error: What was raised; None if it ended well.
        """


NOTHING: Final = Span()


def send(function: AnyFunction) -> Span:
    """Return the span of a call until a server has taken its job."""
    spans = _spans()
    return NOTHING if spans is None else spans.send(function)


def process(function: AnyFunction, job: CurrentJob) -> Span:
    """Return the span of one try of a job; what is inside it is done in its context."""
    spans = _spans()
    return NOTHING if spans is None else spans.process(function, job)


def lose(
    function: AnyFunction,
    handle: bytes | None,
    payload: bytes,
    attempt: int,
    began: int,
    error: Exception,
) -> None:
    """Record one try of a job that its process could not record, since it has died.

    Args:
        function: The function.
        handle: The job handle.
        payload: The job's payload.
        attempt: The number of the try, from 1.
        began: When it began, in nanoseconds since 1970.
        error: What became of it.
    """
    spans = _spans()
    if spans is not None:
        with spans.record(function, handle, payload, attempt, began) as span:
            span.ended(error)


def load() -> None:
    """Load opentelemetry-api, so that the first job does not wait for that."""
    _spans()


@functools.cache
def _spans() -> "_Spans | None":
    try:
        return _Spans()
    except ImportError:
        return None


class _Recorded(Span):
    """A span of OpenTelemetry."""

    __slots__ = ("_span", "_spans")

    def __init__(self, spans: "_Spans", span: "OpenSpan") -> None:
        self._spans = spans
        self._span = span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; a caller that was cancelled is no failure."""
        if isinstance(error, Exception):
            self.failed(error)
        self._span.end()

    def failed(self, error: BaseException) -> None:
        """Note an exception."""
        if not self._span.is_recording():
            return
        kind, text = type(error), text_of(error)
        where = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        name = f"{where}{kind.__qualname__}"
        self._span.set_attribute("error.type", name)
        # As `record_exception` does it, which raises what the exception's own methods raise.
        event = {
            "exception.type": name,
            "exception.message": text,
            "exception.stacktrace": printable("".join(traceback.format_exception(error))),
        }
        self._span.add_event("exception", event)
        self._span.set_status(self._spans.failure, f"{kind.__name__}: {text}")

    def ended(self, error: BaseException | None) -> None:
        """Note how a try of the function ended."""
        if error is not None:
            self.failed(error)


class _Sent(_Recorded):
    """The span of a call until a server has taken its job."""

    __slots__ = ("_function", "carried")

    def __init__(
        self, spans: "_Spans", span: "OpenSpan", function: AnyFunction, carried: Mapping[str, str]
    ) -> None:
        super().__init__(spans, span)
        self.carried: Mapping[str, str] = carried
        self._function = function

    def taken(self, handle: bytes | None, server: object) -> None:
        """Note that a server has taken the job."""
        if handle is not None:
            self._span.set_attribute("messaging.message.id", escaped(handle))
        # Connections of threads and links of asyncio have both.
        host, port = getattr(server, "host", None), getattr(server, "port", None)
        if isinstance(host, str) and isinstance(port, int):
            self._span.set_attribute("server.address", host)
            self._span.set_attribute("server.port", port)

    def waiting(self, handle: bytes | None) -> Span:
        """Return the span of waiting for the end of a job that was sent so."""
        return self._spans.wait(self._function, handle, self._span)


class _Process(_Recorded):
    """The span of one try, whose context is the current one inside it."""

    __slots__ = ("_job", "_timeout", "_token")

    def __init__(
        self, spans: "_Spans", span: "OpenSpan", function: AnyFunction, job: CurrentJob
    ) -> None:
        super().__init__(spans, span)
        self._job = job
        self._timeout = function.options.timeout

    def __enter__(self) -> Self:
        """Begin."""
        self._token = self._spans.enter(self._span)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        self._spans.leave(self._token)
        if error is not None:
            # A task whose time is up is cancelled.
            self.failed(self._too_slow() or error)
        self._span.end()

    def ended(self, error: BaseException | None) -> None:
        """Note how the try ended; it was too slow if nobody could stop it in time."""
        super().ended(error or self._too_slow())

    def _too_slow(self) -> Exception | None:
        if self._job.time_left != 0.0:
            return None
        return timed_out(self._job.name, self._timeout)


class _Spans:
    """Makes spans; raises ImportError where opentelemetry-api is not installed."""

    def __init__(self) -> None:
        from opentelemetry import context, trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._context = context
        self._trace = trace
        self._propagator = TraceContextTextMapPropagator()
        # It uses the program's SDK from the moment that there is one.
        self._tracer = trace.get_tracer("gear")
        self.failure = trace.StatusCode.ERROR

    def send(self, function: AnyFunction) -> Span:
        attributes = _attributes(function, "send")
        attributes["messaging.operation.type"] = "send"
        span = self._tracer.start_span(
            f"send {function.name}", kind=self._trace.SpanKind.PRODUCER, attributes=attributes
        )
        if not span.get_span_context().is_valid:
            return NOTHING
        return _Sent(self, span, function, self._carried(span) if _carries(function) else {})

    def wait(self, function: AnyFunction, handle: bytes | None, sent: "OpenSpan") -> Span:
        parent = None
        if not self._trace.get_current_span().get_span_context().is_valid:
            parent = self._trace.set_span_in_context(sent)  # or it would be a trace of its own
        span = self._tracer.start_span(
            f"wait {function.name}",
            parent,
            attributes=_attributes(function, "wait", handle),
            links=[self._trace.Link(sent.get_span_context())],
        )
        return _Recorded(self, span) if span.is_recording() else NOTHING

    def process(self, function: AnyFunction, job: CurrentJob) -> Span:
        span = self._begin(function, job.handle, job.arguments, job.attempt)
        if not span.get_span_context().is_valid:
            return NOTHING
        return _Process(self, span, function, job)

    def record(
        self,
        function: AnyFunction,
        handle: bytes | None,
        payload: bytes,
        attempt: int,
        began: int,
    ) -> Span:
        """Return the span of a try that began before."""
        return _Recorded(self, self._begin(function, handle, payload, attempt, began))

    def enter(self, span: "OpenSpan") -> "Token[Context]":
        """Make a span's context the current one."""
        return self._context.attach(self._trace.set_span_in_context(span))

    def leave(self, token: "Token[Context]") -> None:
        """Make the context before it the current one again."""
        self._context.detach(token)

    def _begin(
        self,
        function: AnyFunction,
        handle: bytes | None,
        payload: bytes,
        attempt: int,
        began: int | None = None,
    ) -> "OpenSpan":
        attributes = _attributes(function, "process", handle)
        attributes["messaging.operation.type"] = "process"
        attributes["messaging.gearman.message.delivery_attempt"] = attempt
        parent = self._sender(function, payload)
        links = None
        if parent is not None:
            # The conventions ask for a link; a parent is allowed, as there is but one sender.
            sender = self._trace.get_current_span(parent).get_span_context()
            links = [self._trace.Link(sender)]
        return self._tracer.start_span(
            f"process {function.name}", parent, self._trace.SpanKind.CONSUMER, attributes, links,
            began,
        )  # fmt: skip

    def _sender(self, function: AnyFunction, payload: bytes) -> "Context | None":
        """Return the context in which a call was sent; None if it does not say so, or wrongly."""
        if _MARK not in payload:
            return None
        beside = function.codec.decode_beside(payload)
        parent, state = beside.get(_PARENT), beside.get(_STATE)
        if not isinstance(parent, str) or len(parent) != _PARENT_SIZE:
            return None
        carrier = {_PARENT: parent}
        if isinstance(state, str) and _is_state(state):
            carrier[_STATE] = state
        found = self._propagator.extract(carrier, self._context.Context())
        return found if self._trace.get_current_span(found).get_span_context().is_valid else None

    def _carried(self, span: "OpenSpan") -> dict[str, str]:
        """Return what a call carries of a span."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, self._trace.set_span_in_context(span))
        if not _is_state(carrier.get(_STATE, "")):
            del carrier[_STATE]
        return carrier


def _attributes(function: AnyFunction, operation: str, handle: bytes | None = None) -> Attributes:
    attributes: Attributes = {
        "messaging.system": "gearman",
        "messaging.destination.name": function.name,
        "messaging.operation.name": operation,
    }
    if handle:
        attributes["messaging.message.id"] = escaped(handle)
    return attributes


def _carries(function: AnyFunction) -> bool:
    """Tell whether a call may carry a context: not if servers compare its payload with others'."""
    unique = function.call_options.unique
    return function.trace_context and (
        unique is None or to_bytes(unique, "a unique") != _BY_PAYLOAD
    )


def _is_state(state: str) -> bool:
    """Tell whether a text is a tracestate, and of no more than others are bound to carry."""
    members = [member.strip(" \t") for member in state.split(",", _STATE_MEMBERS)]
    return (
        len(state) <= _STATE_SIZE
        and len(members) <= _STATE_MEMBERS
        and all(not member or _STATE_MEMBER.fullmatch(member) for member in members)
    )
