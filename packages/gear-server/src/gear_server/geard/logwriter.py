"""Writes log lines on a separate thread, so that a stuck or full log stops nothing else."""

import copy
import logging
import logging.handlers
import queue
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from gear_server.engine.joblog import LOGGER
from gear_server.logformat import JsonFormatter
from gear_wire.errors import TimeoutError

QUEUE_SIZE: Final = 4 << 20
"""Bytes of text that may wait to be written; beyond that, lines are dropped."""
LINE_OVERHEAD: Final = 500
"""Bytes that a line counts in addition to its text."""
FLUSH_TIMEOUT: Final = 2.0
"""Seconds to wait for the thread: to reopen a file, and to write what is left at the end."""
TOO_SLOW: Final = "the log is too slow"


def explain(error: BaseException | None) -> str:
    """Return in words why a line is lost."""
    return getattr(error, "strerror", None) or str(error) or repr(error)


class _Line(msgspec.Struct, frozen=True):
    """A line, and the handlers that write it."""

    record: logging.LogRecord
    sinks: list[logging.Handler]
    size: int


class _Call(msgspec.Struct):
    """Something to do between two lines, and its outcome."""

    function: Callable[[], object]
    done: threading.Event
    error: Exception | None = None


class LogWriter:
    """A queue of log lines, and the thread that hands them to handlers.

    Lines that a handler cannot write, and those that exceed the queue, are dropped and counted. The
    next line that can be written is followed by one that reports how many were lost, and why.

    Args:
        logger: The name under which the writer reports lines that were lost.

    Attributes:
        dropped: How many lines were lost, reported or not.
    """

    def __init__(self, logger: str) -> None:
        self._logger = logger
        self._queue: queue.SimpleQueue[_Line | _Call | None] = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._queued = 0  # changed under the lock
        self._written = 0  # changed by the thread alone
        self._failures = 0  # changed by the thread alone
        self._lost = 0
        self._reason = ""
        self.dropped: int = 0
        self._thread = threading.Thread(target=self._run, name="geard log", daemon=True)

    @property
    def lost(self) -> int:
        """How many lines were lost without a report in the log."""
        return self._lost

    @property
    def reason(self) -> str:
        """Why the last of them was lost."""
        return self._reason

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, record: logging.LogRecord, sinks: list[logging.Handler]) -> None:
        """Queue a line for some handlers, or drop it; never waits."""
        size = len(str(record.msg)) + len(vars(record).get("json_line", "")) + LINE_OVERHEAD
        # So the log of jobs, which may be a flood, leaves room for all else.
        room = QUEUE_SIZE // 2 if record.name == LOGGER else QUEUE_SIZE
        with self._lock:
            if self._queued - self._written > room:
                self.lose(TOO_SLOW)
                return
            self._queued += size
        self._queue.put(_Line(record, sinks, size))

    def lose(self, reason: str) -> None:
        """Count a line that is lost."""
        with self._lock:
            self._lost += 1
            self.dropped += 1
            self._reason = reason

    def fail(self, error: BaseException | None) -> None:
        """Count a line that a handler could not write; called on the thread."""
        self._failures += 1
        self.lose(explain(error))

    def call(self, function: Callable[[], object]) -> None:
        """Call something on the thread, after the queued lines, and wait for it.

        Raises:
            TimeoutError: The thread is stuck.
            Exception: What the function raised.
        """
        call = _Call(function, threading.Event())
        self._queue.put(call)
        if not call.done.wait(FLUSH_TIMEOUT):
            raise TimeoutError(f"the log is stuck: nothing was written for {FLUSH_TIMEOUT:g} s")
        if call.error is not None:
            raise call.error

    def stop(self) -> bool:
        """Write what is queued and end the thread; returns False if it is stuck."""
        self._queue.put(None)
        self._thread.join(FLUSH_TIMEOUT)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            if item is None:
                return
            if isinstance(item, _Call):
                try:
                    item.function()
                except Exception as error:
                    item.error = error
                item.done.set()
                continue
            self._write(item)
            self._written += item.size

    def _write(self, line: _Line) -> None:
        failures = self._failures
        for sink in line.sinks:
            self._hand(sink, line.record)
        if self._lost and self._failures == failures:
            self._report(line.sinks)

    def _hand(self, sink: logging.Handler, record: logging.LogRecord) -> None:
        try:
            sink.handle(record)
        except Exception as error:
            self.fail(error)

    def _report(self, sinks: Iterable[logging.Handler]) -> None:
        number, failures = self._lost, self._failures
        record = logging.LogRecord(
            self._logger, logging.WARNING, __file__, 0,
            "Log lines lost: %d; %s", (number, self._reason), None,
        )  # fmt: skip
        for sink in sinks:
            self._hand(sink, record)
        if self._failures == failures:
            with self._lock:
                self._lost -= number


class Enqueue(logging.handlers.QueueHandler):
    """A handler in place of others, which the writer's thread calls.

    Args:
        writer: The writer.
        sinks: The others.
    """

    def __init__(self, writer: LogWriter, sinks: list[logging.Handler]) -> None:
        super().__init__(queue.SimpleQueue())
        self._writer = writer
        self.sinks: list[logging.Handler] = sinks
        for sink in sinks:
            # Handlers of any class report failures here instead of printing tracebacks to stderr.
            vars(sink)["handleError"] = self._note_failure
        formatters = [sink.formatter for sink in sinks]
        self._json = next((one for one in formatters if isinstance(one, JsonFormatter)), None)
        self._text = self._json is None or not all(
            isinstance(one, JsonFormatter) for one in formatters
        )

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return a copy of a record that holds text only, since its arguments change."""
        line = None if self._json is None else self._json.format(record)
        if self._text:
            prepared: logging.LogRecord = super().prepare(record)
        else:
            prepared = copy.copy(record)
            prepared.msg, prepared.args, prepared.exc_info = "", None, None
        if line is not None:
            vars(prepared)["json_line"] = line
        return prepared

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue a line."""
        self._writer.put(record, self.sinks)

    def handleError(self, record: logging.LogRecord) -> None:
        """Count a line that cannot be formatted."""
        self._writer.lose(explain(sys.exc_info()[1]))

    def _note_failure(self, record: logging.LogRecord) -> None:
        self._writer.fail(sys.exc_info()[1])
