"""Apps whose functions say in which span they run; a process of a pool writes its spans to a file.

In the process that has the tests, they make spans by a provider of their own.
"""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from gear_wire.functions import App, CurrentJob, Retries, current_job

FILE = "TRACED_TO"
"""The environment variable that names the file, a span in JSON a line."""


class OutOfStock(Exception):
    """Declared by `sell`."""


def here() -> str:
    """Return the trace and the span that are the current ones."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:#034x} {context.span_id:#018x}"


@contextlib.contextmanager
def warn_where(job: CurrentJob) -> Iterator[None]:
    """Warn in which span middleware is."""
    job.warning(here())
    yield


plain = App()
"""Functions for threads and processes."""
plain.middleware(warn_where)


@plain.lifespan
@contextlib.contextmanager
def exported() -> Iterator[None]:
    """Write the spans of a process of the pool."""
    if multiprocessing.parent_process() is None:
        yield
        return
    with Path(os.environ[FILE]).open("a") as file:
        exporter = ConsoleSpanExporter(out=file, formatter=lambda span: f"{span.to_json(None)}\n")
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        yield


@plain.function("where")
def where_plain(n: int = 0) -> str:
    """Say in which span it runs."""
    return here()


@plain.function("sell", raises=[OutOfStock])
def sell_plain(article: str) -> None:
    """Raise what it declares."""
    raise OutOfStock(article)


@plain.function("flaky", retries=Retries(3, backoff=0.01, jitter=0.0))
def flaky_plain() -> int:
    """Fail twice."""
    attempt = current_job().attempt
    if attempt < 3:
        raise OSError(f"try {attempt}")
    return attempt


@plain.function("wheres")
def wheres_plain(n: int) -> Iterator[str]:
    """Say some times in which span it runs."""
    for _ in range(n):
        yield here()


@plain.function("dawdle", timeout=0.4)
def dawdle_plain(seconds: float) -> None:
    """Take longer than it may."""
    time.sleep(seconds)


@plain.function()
def die() -> None:
    """End its process."""
    os.kill(os.getpid(), signal.SIGKILL)


tasks = App(encoding="msgpack")
"""Asynchronous functions, and the other encoding."""
tasks.middleware(warn_where)


@tasks.function("where")
async def where_task(n: int = 0) -> str:
    """Say in which span it runs."""
    await asyncio.sleep(0)
    return here()


@tasks.function("sell", raises=[OutOfStock])
async def sell_task(article: str) -> None:
    """Raise what it declares."""
    raise OutOfStock(article)


@tasks.function("flaky", retries=Retries(3, backoff=0.01, jitter=0.0))
async def flaky_task() -> int:
    """Fail twice."""
    return flaky_plain()


@tasks.function("wheres")
async def wheres_task(n: int) -> AsyncIterator[str]:
    """Say some times in which span it runs."""
    for _ in range(n):
        yield here()


@tasks.function("dawdle", timeout=0.4)
async def dawdle_task(seconds: float) -> None:
    """Take longer than it may."""
    await asyncio.sleep(seconds)


raw = App()
"""What has no room for a context."""


@raw.function()
def shout(text: str) -> str:
    """Return it in capitals."""
    return text.upper()


silent = App(trace_context=False)
"""What workers of other kinds run."""


@silent.declaration("label")
def label(text: str) -> str:
    """Raise, as declarations do."""
    raise NotImplementedError
