"""Spans of calls and of their runs, by the SDK of OpenTelemetry, in each pool, from both faces."""

import asyncio
import copy
import json
import logging
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import gear
from gear_server.testing import Geard
from gear_wire.functions import CurrentJob, tracing
from gear_wire.functions.execution import run
from gear_worker.runner import RunnerSettings
from support import traced_apps
from support.fix_runner import WAIT
from support.traced_apps import FILE, OutOfStock, label, plain, raw, shout, tasks, where_plain

POOLS = ("threads", "processes", "tasks")
APPS = {"threads": plain, "processes": plain, "tasks": tasks}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
Json = dict[str, Any]


class Recorded:
    """The spans of this process, and those that processes of a pool write to a file.

    Args:
        file: The file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def all(self) -> list[Json]:
        """Return all spans that have ended, as JSON."""
        lines = [span.to_json() for span in self.exporter.get_finished_spans()]
        if self._file.exists():
            # The last line may be on its way.
            lines += self._file.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith(("}", "\n"))]

    def named(self, name: str, count: int = 1) -> list[Json]:
        """Return the spans of a name, in order, once there are so many."""
        deadline = time.monotonic() + WAIT
        while True:
            found = [span for span in self.all() if span["name"] == name]
            if len(found) >= count or time.monotonic() > deadline:
                assert len(found) == count, [span["name"] for span in self.all()]
                return sorted(found, key=lambda span: str(span["start_time"]))
            time.sleep(0.01)  # another process, or a thread that is late, may write it

    def states(self) -> dict[str, Mapping[str, str]]:
        """Return the tracestate of each span of this process."""
        spans = self.exporter.get_finished_spans()
        contexts = {span.name: span.get_span_context() for span in spans}
        return {name: context.trace_state for name, context in contexts.items() if context}

    def one(self, name: str) -> Json:
        """Return the span of a name."""
        (span,) = self.named(name)
        return span


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    file = tmp_path / "spans"
    monkeypatch.setenv(FILE, str(file))
    recorded = Recorded(file)
    # Not the one provider of the process, which would be that of all other tests, too.
    spans = tracing._Spans()
    spans._tracer = recorded.provider.get_tracer("gear")
    monkeypatch.setattr(tracing, "_spans", lambda: spans)
    yield recorded
    recorded.provider.shutdown()


@pytest.fixture
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be as in a program that has opentelemetry-api, and sets up no SDK."""
    tracing._spans.cache_clear()
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@pytest.fixture(params=["threads", "asyncio"])
def face(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture(params=POOLS)
def pool(request: pytest.FixtureRequest, geard: Geard, recorded: Recorded) -> str:
    pool: str = request.param
    geard.run(APPS[pool], RunnerSettings(pool=pool, concurrency=2))  # type: ignore[arg-type]  # one of POOLS
    return pool


@pytest.fixture
def function(pool: str) -> Callable[[str], Any]:
    """Return what finds a function of the pool's app."""
    return lambda name: APPS[pool].functions[name]


def call(geard: Geard, face: str, function: Any, *args: object) -> Any:
    if face == "threads":
        with geard.client() as client:
            return client.call(function, *args)

    async def main() -> Any:
        async with geard.async_client() as client:
            return await client.call(function, *args)

    return asyncio.run(main())


def items(geard: Geard, face: str, function: Any, *args: object) -> list[Any]:
    if face == "threads":
        with geard.client() as client:
            return [*client.start(function, *args)]

    async def main() -> list[Any]:
        async with geard.async_client() as client:
            return [item async for item in await client.start(function, *args)]

    return asyncio.run(main())


def identity(span: Json) -> str:
    """Return a span as `here` names it."""
    return f"{span['context']['trace_id']} {span['context']['span_id']}"


def parent(span: Json) -> str:
    return f"{span['context']['trace_id']} {span['parent_id']}"


def exceptions(span: Json) -> list[str]:
    return [event["attributes"]["exception.type"] for event in span["events"]]


def test_a_call(
    geard: Geard, recorded: Recorded, face: str, function: Callable[[str], Any]
) -> None:
    with recorded.tracer.start_as_current_span("caller"):
        where = call(geard, face, function("where"))
    caller, sent = recorded.one("caller"), recorded.one("send where")
    waited, processed = recorded.one("wait where"), recorded.one("process where")
    assert where == identity(processed)
    assert parent(sent) == parent(waited) == identity(caller)
    assert parent(processed) == identity(sent)
    (link,) = processed["links"]
    assert identity(link) == identity(sent)
    assert [each["kind"].removeprefix("SpanKind.") for each in (sent, waited, processed)] == [
        "PRODUCER", "INTERNAL", "CONSUMER",
    ]  # fmt: skip
    handle = sent["attributes"]["messaging.message.id"]
    assert handle.startswith("H:")
    everywhere = {
        "messaging.system": "gearman",
        "messaging.destination.name": "where",
        "messaging.message.id": handle,
    }
    assert sent["attributes"] == {
        **everywhere,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "server.address": geard.host,
        "server.port": geard.port,
    }
    (link,) = waited["links"]
    assert identity(link) == identity(sent)
    assert waited["attributes"] == {**everywhere, "messaging.operation.name": "wait"}
    assert processed["attributes"] == {
        **everywhere,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.gearman.message.delivery_attempt": 1,
    }
    assert {each["status"]["status_code"] for each in (sent, waited, processed)} == {"UNSET"}


def test_middleware_is_inside_the_span(
    geard: Geard, recorded: Recorded, function: Callable[[str], Any]
) -> None:
    with geard.client() as client:
        job = client.start(function("where"))
        assert job.result(WAIT) == job.warnings[0] == identity(recorded.one("process where"))


def test_what_a_function_calls_is_in_its_trace(geard: Geard, recorded: Recorded) -> None:
    app = gear.App()

    @app.function()
    def outer() -> str:
        with geard.client() as client:
            return client.call(where_plain)

    app.functions["where"] = where_plain
    geard.run(app, RunnerSettings(concurrency=2))
    assert call(geard, "threads", outer) == identity(recorded.one("process where"))
    assert parent(recorded.one("send where")) == identity(recorded.one("process outer"))
    assert len({span["context"]["trace_id"] for span in recorded.all()}) == 1


def test_an_exception(
    geard: Geard, recorded: Recorded, face: str, function: Callable[[str], Any]
) -> None:
    with pytest.raises(OutOfStock):
        call(geard, face, function("sell"), "tea")
    assert recorded.one("send sell")["status"]["status_code"] == "UNSET"
    for name in ("wait sell", "process sell"):
        span = recorded.one(name)
        assert span["status"] == {"status_code": "ERROR", "description": "OutOfStock: tea"}
        assert span["attributes"]["error.type"] == "support.traced_apps.OutOfStock"
        assert exceptions(span) == ["support.traced_apps.OutOfStock"]


def test_a_copy_of_a_job_has_no_span(geard: Geard, recorded: Recorded) -> None:
    with geard.client() as client:
        job = client.start(where_plain).job
    assert type(job.sent) is not tracing.Span
    for other in (pickle.loads(pickle.dumps(job)), copy.copy(job)):
        assert type(other.sent) is tracing.Span


def test_wrong_arguments(geard: Geard, recorded: Recorded) -> None:
    geard.run(plain)
    app = gear.App()

    @app.declaration("where")
    def where(n: list[int]) -> str:
        raise NotImplementedError

    with pytest.raises(gear.RemoteError, match="expected int, got array"):
        call(geard, "threads", where, [1])
    sent, processed = recorded.one("send where"), recorded.one("process where")
    assert parent(processed) == identity(sent)
    assert processed["attributes"]["error.type"].endswith(".InvalidArgumentsError")


class Silent(Exception):
    def __str__(self) -> str:
        raise ValueError("nothing to say")


def test_an_exception_without_a_text_harms_nobody(recorded: Recorded) -> None:
    app = gear.App()

    @app.function()
    def fail(surrogate: bool) -> None:
        raise ValueError("\udc80") if surrogate else Silent

    for payload, text in (
        (b"[false]", "<its text cannot be had: ValueError>"),
        (b"[true]", "\\udc80"),
    ):
        outcome = run(fail, job_of(payload), ())
        assert text.encode() in outcome.data.replace(b"\\\\", b"\\")
        span = recorded.exporter.get_finished_spans()[-1]
        (event,) = span.events
        assert event.attributes is not None
        assert event.attributes["exception.message"] == text
        assert "in fail" in str(event.attributes["exception.stacktrace"])
        assert str(span.status.description).endswith(f": {text}")


def test_each_try_is_a_span(
    geard: Geard, recorded: Recorded, function: Callable[[str], Any]
) -> None:
    assert call(geard, "threads", function("flaky")) == 3
    sent, tries = recorded.one("send flaky"), recorded.named("process flaky", 3)
    number = "messaging.gearman.message.delivery_attempt"
    assert [each["attributes"][number] for each in tries] == [1, 2, 3]
    assert {parent(each) for each in tries} == {identity(sent)}
    assert [each["status"]["status_code"] for each in tries] == ["ERROR", "ERROR", "UNSET"]
    assert tries[0]["attributes"]["error.type"] == "OSError"


def test_a_stream(
    geard: Geard, recorded: Recorded, face: str, function: Callable[[str], Any]
) -> None:
    found = items(geard, face, function("wheres"), 3)
    processed = recorded.one("process wheres")
    assert found == [identity(processed)] * 3
    assert parent(processed) == identity(recorded.one("send wheres"))
    assert recorded.one("wait wheres")["status"]["status_code"] == "UNSET"


def test_a_stream_that_nobody_wants_to_its_end(geard: Geard, recorded: Recorded) -> None:
    geard.run(plain)
    with geard.client() as client:
        stream = client.start(traced_apps.wheres_plain, 3).items()
        next(stream)
        assert not [span for span in recorded.all() if span["name"] == "wait wheres"]
        stream.close()  # type: ignore[attr-defined]  # it is a generator
    assert recorded.one("wait wheres")["status"]["status_code"] == "UNSET"


def test_a_timeout(
    geard: Geard, recorded: Recorded, function: Callable[[str], Any], pool: str
) -> None:
    with pytest.raises(gear.RemoteError, match="dawdle took longer than"):
        call(geard, "threads", function("dawdle"), 1.0)
    processed = recorded.one("process dawdle")
    assert parent(processed) == identity(recorded.one("send dawdle"))
    assert processed["attributes"]["error.type"] == "TimeoutError"
    assert processed["status"]["description"] == "TimeoutError: dawdle took longer than 0.4 s"


@pytest.mark.parametrize("killed", ["fail", "return"])
def test_a_process_that_dies(geard: Geard, recorded: Recorded, killed: str) -> None:
    settings = RunnerSettings(pool="processes", concurrency=1, killed=killed)  # type: ignore[arg-type]  # one of two
    with geard.run(plain, settings), geard.client() as client:
        # gear.Server fails what is given back.
        client.start(traced_apps.die).wait(WAIT)
        processed = recorded.one("process die")
    assert parent(processed) == identity(recorded.one("send die"))
    assert processed["attributes"]["error.type"].endswith(".ProcessDiedError")
    assert processed["end_time"] > processed["start_time"]


def test_nobody_answers(recorded: Recorded) -> None:
    with gear.Client() as client, pytest.raises(gear.NoConnectedServersError):
        client.call(where_plain)
    sent = recorded.one("send where")
    assert sent["status"]["status_code"] == "ERROR"
    assert sent["attributes"]["error.type"] == "gear_wire.errors.NoConnectedServersError"


# What is sent


def payload_of(geard: Geard, face: str, function: Any, *args: object) -> bytes:
    """Return what a worker of another kind is given of a call."""
    background = function.using(background=True)
    with geard.worker(function.name) as worker:
        if face == "threads":
            with geard.client() as client:
                client.start(background, *args)
        else:

            async def main() -> None:
                async with geard.async_client() as client:
                    await client.start(background, *args)

            asyncio.run(main())
        job = worker.getJob(WAIT)
        job.sendWorkComplete()
        return job.arguments


@pytest.mark.parametrize("app", [plain, tasks], ids=["json", "msgpack"])
def test_a_call_carries_its_context(
    geard: Geard, recorded: Recorded, face: str, app: gear.App
) -> None:
    function: Any = app.functions["where"]
    payload = payload_of(geard, face, function, 5)
    decode = msgspec.json.decode if app is plain else msgspec.msgpack.decode
    trace_id, span_id = identity(recorded.one("send where")).replace("0x", "").split()
    traceparent, n = decode(payload).values()
    assert traceparent.startswith(f"00-{trace_id}-{span_id}-")
    assert (len(traceparent), n) == (55, 5)


def test_a_tracestate_travels_too(geard: Geard, recorded: Recorded) -> None:
    state = trace.TraceState([("vendor", "a b"), ("t@v", "1")])
    with trace.use_span(trace.NonRecordingSpan(context_of(state))):
        payload = payload_of(geard, "threads", where_plain)
    assert msgspec.json.decode(payload)["@tracestate"] == "vendor=a b,t@v=1"
    process(recorded, payload)
    assert recorded.states() == {"send where": state, "process where": state}


def test_a_tracestate_that_is_too_long_does_not(geard: Geard, recorded: Recorded) -> None:
    state = trace.TraceState([("a", "x" * 250), ("b", "x" * 250), ("c", "x" * 250)])
    with trace.use_span(trace.NonRecordingSpan(context_of(state))):
        payload = payload_of(geard, "threads", where_plain)
    assert [*msgspec.json.decode(payload)] == ["@traceparent"]


def context_of(state: trace.TraceState) -> trace.SpanContext:
    return trace.SpanContext(int(TRACE, 16), int(PARENT, 16), True, trace.TraceFlags(1), state)


@pytest.mark.usefixtures("untraced")
def test_who_is_not_traced_sends_what_was_always_sent(geard: Geard, face: str) -> None:
    assert payload_of(geard, face, where_plain, 5) == b'{"n":5}'
    assert payload_of(geard, face, where_plain) == b"{}"
    assert payload_of(geard, face, tasks.functions["where"], 5) == b"\x81\xa1n\x05"


@pytest.mark.usefixtures("untraced")
def test_without_an_sdk_a_context_is_passed_on(geard: Geard) -> None:
    context = context_of(trace.TraceState())
    with trace.use_span(trace.NonRecordingSpan(context)):
        payload = payload_of(geard, "threads", where_plain)
    assert payload == b'{"@traceparent":"%s"}' % TRACEPARENT.encode()
    assert run(where_plain, job_of(payload), ()).data == b'"0x%s 0x%s"' % (
        TRACE.encode(), PARENT.encode(),
    )  # fmt: skip


def test_a_call_that_is_not_sampled_says_so(geard: Geard, recorded: Recorded) -> None:
    spans = tracing._spans()
    assert spans is not None
    spans._tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("gear")
    payload = payload_of(geard, "threads", where_plain)
    assert not int(msgspec.json.decode(payload)["@traceparent"][-2:], 16) & trace.TraceFlags.SAMPLED
    assert run(where_plain, job_of(payload), ()).error is None
    assert recorded.all() == []


def test_raw_payloads_carry_nothing(geard: Geard, recorded: Recorded, face: str) -> None:
    assert payload_of(geard, face, shout, "tea") == b"tea"
    with geard.run(raw):
        assert call(geard, face, shout, "tea") == "TEA"
    assert recorded.one("process shout")["parent_id"] is None


def test_an_app_whose_calls_carry_nothing(geard: Geard, recorded: Recorded) -> None:
    implementing = gear.App()

    @implementing.implements(label)
    def its_label(text: str) -> str:
        return text

    for function in (label, its_label):
        payload = payload_of(geard, "threads", function, "tea")
        assert payload == label.encode("tea")
    recorded.named("send label", 2)


@pytest.mark.parametrize("unique", ["-", b"-"])
def test_calls_that_are_merged_by_their_payload_still_are(
    geard: Geard, recorded: Recorded, unique: str | bytes
) -> None:
    function = where_plain.using(background=True, unique=unique)
    with geard.client() as client:
        assert client.start(function, 1).handle == client.start(function, 1).handle
        # Others are merged by their unique, whatever they carry.
        function = function.using(unique="one")
        assert client.start(function, 1).handle == client.start(function, 1).handle
        assert client.start(function, 1).handle != client.start(where_plain, 1).handle
    recorded.named("send where", 6)


# What is believed


def job_of(payload: bytes) -> CurrentJob:
    class Nowhere:
        def status(self, numerator: float, denominator: float) -> None: ...

        def warning(self, data: bytes) -> None: ...

        def data(self, data: bytes) -> None: ...

    return CurrentJob("where", b"H:test:1", payload, Nowhere())


def process(recorded: Recorded, payload: bytes) -> Json:
    """Run a function of this payload, and return its span."""
    outcome = run(where_plain, job_of(payload), ())
    span = recorded.one("process where")
    assert msgspec.json.decode(outcome.data) == identity(span)
    return span


@pytest.mark.parametrize(
    "members",
    [
        {"@traceparent": TRACEPARENT, "n": 1},
        {"n": 1, "@traceparent": TRACEPARENT, "@tracestate": "a=1 , b=2,"},
        {"@traceparent": TRACEPARENT, "@tracestate": 5},
        {"@traceparent": TRACEPARENT.replace("00-", "cc-", 1)},
        {"@traceparent": TRACEPARENT, "@baggage": {"of": ["others"]}},
    ],
)
def test_a_context_is_believed(recorded: Recorded, members: Json) -> None:
    span = process(recorded, msgspec.json.encode(members))
    assert parent(span) == f"0x{TRACE} 0x{PARENT}"
    state = members.get("@tracestate")
    expected = {"a": "1", "b": "2"} if isinstance(state, str) else {}
    assert recorded.states() == {"process where": expected}


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        None,
        7,
        ["x"],
        {"@traceparent": TRACEPARENT},
        TRACEPARENT[:-1],
        TRACEPARENT + "-more",
        f"{TRACEPARENT}\n",
        f" {TRACEPARENT}",
        TRACEPARENT.upper(),
        TRACEPARENT.replace("a", "g"),
        TRACEPARENT.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        TRACEPARENT * 10_000,
    ],
)
def test_what_is_no_context_is_ignored(
    recorded: Recorded, caplog: pytest.LogCaptureFixture, traceparent: object
) -> None:
    with caplog.at_level(logging.DEBUG):
        span = process(recorded, msgspec.json.encode({"@traceparent": traceparent, "n": 1}))
    assert span["parent_id"] is None
    assert span["links"] == []
    assert caplog.records == []


@pytest.mark.parametrize(
    "state",
    [
        "a=" + "x" * 600,
        ",".join(f"k{number}=1" for number in range(33)),
        "A=1",
        "a=1=2",
        "a=ä",
        "a",
        ["a=1"],
    ],
)
def test_what_is_no_state_is_ignored(
    recorded: Recorded, caplog: pytest.LogCaptureFixture, state: object
) -> None:
    members = {"@traceparent": TRACEPARENT, "@tracestate": state}
    with caplog.at_level(logging.DEBUG):
        span = process(recorded, msgspec.json.encode(members))
    assert parent(span) == f"0x{TRACE} 0x{PARENT}"
    assert recorded.states() == {"process where": {}}
    assert caplog.records == []


@pytest.mark.parametrize(
    "payload", [b'["@traceparent"]', b'"@traceparent"', b'{"@traceparent": ' + b"[" * 100_000]
)
def test_a_payload_that_is_no_object_has_no_context(recorded: Recorded, payload: bytes) -> None:
    run(where_plain, job_of(payload), ())
    assert recorded.one("process where")["parent_id"] is None


# Where it is not installed


PROGRAM = """
import sys
sys.modules["opentelemetry"] = None  # so that it cannot be imported
import gear
from gear_wire.functions import tracing
app = gear.App()

@app.function()
def double(n: int) -> int:
    return 2 * n

with app.testing() as client:
    assert client.call(double, 2) == 4
with tracing.send(double) as span:
    assert double.codec.encode_arguments((2,), {}, span.carried) == b'{"n":2}'
    span.taken(b"H:test:1", None)
with span.waiting(b"H:test:1"):
    pass
tracing.lose(double, b"H:test:1", b"{}", 1, 0, OSError())
print([name for name in sys.modules if "opentelemetry" in name])
"""


def test_nothing_is_loaded_where_it_is_not_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("['opentelemetry']\n", "")
