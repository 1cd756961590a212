"""What a process of the pool does: it runs one function at a time, as its runner says."""

import asyncio
import contextlib
import importlib
import multiprocessing
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from multiprocessing import connection

import msgspec

from gear_wire.functions import tracing
from gear_wire.functions.app import App
from gear_wire.functions.current import CurrentJob
from gear_wire.functions.execution import run
from gear_worker.jobs import to_digits
from gear_worker.runner.assignment import Assignment
from gear_worker.runner.calls import ending_of
from gear_worker.runner.lifespan import entered
from gear_worker.runner.memory import memory_in_use
from gear_worker.runner.spoken import (
    Begin,
    Broken,
    Data,
    Ended,
    Ready,
    Status,
    Unpacker,
    Warn,
    pack,
)


def work(assignment: Assignment, channel: socket.socket) -> None:
    """Run functions until the runner is gone or says no more; the main function of a process.

    Args:
        assignment: What to run.
        channel: The way to the runner.
    """
    # Signals go to whole process groups: it is the runner who decides what they mean. A handler, as
    # programs that a function starts would inherit that a signal is ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    threading.Thread(target=_die_with_parent, name="gear.Runner parent", daemon=True).start()
    with contextlib.closing(channel), contextlib.ExitStack() as stack:
        try:
            if assignment.setup is not None:
                assignment.setup()
            app = getattr(importlib.import_module(assignment.module), assignment.attribute)
            tracing.load()
            state = stack.enter_context(_lifespan(app))
        except BaseException as error:
            reason = "".join(traceback.format_exception(error)).strip()
            with contextlib.suppress(OSError):
                channel.sendall(pack(Broken(reason)))
            return
        with contextlib.suppress(OSError):  # the runner is gone
            channel.sendall(pack(Ready()))
            _serve(app, state, assignment, channel)


def _die_with_parent() -> None:
    """End at once when the runner is gone: its server has given the job to another."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@contextlib.contextmanager
def _lifespan(app: App) -> Iterator[object]:
    if app.span is None:
        yield None
        return
    with asyncio.Runner() as runner:
        span = entered(app.span())
        state = runner.run(span.__aenter__())
        try:
            yield state
        finally:
            runner.run(span.__aexit__(None, None, None))


def _serve(app: App, state: object, assignment: Assignment, channel: socket.socket) -> None:
    unpacker = Unpacker(msgspec.msgpack.Decoder(Begin))
    lock = threading.Lock()
    jobs = 0
    while data := channel.recv(1 << 18):
        for begin in unpacker.feed(data):
            function = app.functions[begin.function]
            left = begin.time_left
            reports = _ChannelReports(channel, lock)
            job = CurrentJob(
                begin.function, begin.handle, begin.arguments, reports,
                unique=begin.unique, attempt=begin.attempt, state=state,
                deadline=None if left is None else time.monotonic() + left, clock=time.monotonic,
            )  # fmt: skip
            outcome = run(function, job, app.middlewares)
            ending = ending_of(function, outcome, begin.attempt)
            jobs += ending.retry is None
            spent = _reached(jobs, assignment.max_jobs) or (
                assignment.max_memory > 0 and _reached(memory_in_use(), assignment.max_memory)
            )
            reports.end(Ended(ending, spent))
            if spent:
                return


def _reached(value: float, limit: int) -> bool:
    return 0 < limit <= value


class _ChannelReports:
    """Sends reports of one try to the runner; waits while it takes none."""

    def __init__(self, channel: socket.socket, lock: threading.Lock) -> None:
        self._channel = channel
        self._lock = lock  # a function may use threads of its own, and they may outlive it
        self._over = False

    def _send(self, message: msgspec.Struct) -> None:
        with self._lock:
            if not self._over:
                self._channel.sendall(pack(message))

    def end(self, message: Ended) -> None:
        """Send how the try ended, and nothing after it."""
        with self._lock:
            self._over = True
            self._channel.sendall(pack(message))

    def status(self, numerator: float, denominator: float) -> None:
        """Send WORK_STATUS."""
        top, bottom = to_digits(numerator, "numerator"), to_digits(denominator, "denominator")
        self._send(Status(top, bottom))

    def warning(self, data: bytes) -> None:
        """Send WORK_WARNING."""
        self._send(Warn(data))

    def data(self, data: bytes) -> None:
        """Send WORK_DATA."""
        self._send(Data(data))
