"""Where `geard` logs: a file that can be opened again, standard error, syslog."""

import contextlib
import logging
import logging.config
import logging.handlers
import os
import select
from typing import ClassVar, Final, Self

from gear_server.geard.logwriter import Enqueue, LogWriter
from gear_server.geard.options import LogFormat
from gear_server.geard.writable import check_writable
from gear_server.levels import NOTICE
from gear_server.logformat import JsonFormatter
from gear_wire.errors import ConfigurationError

LEVELS: Final = {
    "FATAL": logging.CRITICAL,
    "ALERT": logging.CRITICAL,
    "CRITICAL": logging.CRITICAL,
    "ERROR": logging.ERROR,
    "WARNING": logging.WARNING,
    "NOTICE": NOTICE,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
}
"""Python's level for each of gearmand's."""
LINE: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
SYSLOG_LINE: Final = "geard[%(process)d]: %(levelname)s %(name)s: %(message)s"
SYSLOG: Final = "/dev/log"


class DescriptorHandler(logging.Handler):
    """Writes lines to a descriptor without a buffer, so that none is left to fail at the end.

    Args:
        descriptor: Where to write.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor: int = descriptor
        self._torn = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
            self._write(b"\n" + line if self._torn else line)
        except Exception:
            self.handleError(record)

    def _write(self, data: bytes) -> None:
        size = len(data)
        try:
            while data:
                try:
                    data = data[os.write(self.descriptor, data) :]
                except BlockingIOError:  # somebody has made standard error non-blocking
                    select.select([], [self.descriptor], [])
        finally:
            self._torn = 0 < len(data) < size or (self._torn and len(data) == size)


class LogFile(DescriptorHandler):
    """A log file that can be reopened after it was moved away.

    Args:
        path: Its path.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        super().__init__(self._open())

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def reopen(self) -> None:
        """Continue in a new file of the same name; in the old one, with OSError, if that fails."""
        fresh = self._open()
        os.close(self.descriptor)
        self.descriptor: int = fresh

    def close(self) -> None:
        """Close the file."""
        super().close()
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class SyslogHandler(logging.handlers.SysLogHandler):
    """Logs to syslog, which has a level for NOTICE."""

    priority_map: ClassVar[dict[str, str]] = {
        **logging.handlers.SysLogHandler.priority_map,
        "NOTICE": "notice",
    }


class Logs:
    """The destinations of log lines, for the duration of a `with` block; a thread writes them.

    Args:
        file: A path, ``stderr`` or ``none``.
        level: One of `LEVELS`.
        syslog: The socket of syslog, to log there as well; None not to.
        config: A configuration file for `logging.config`, which replaces the rest; None for none.
        form: How lines look; in syslog, objects follow its own start of a line.

    Attributes:
        stuck: Whether the thread hung in a handler at the end.
    """

    def __init__(
        self,
        file: str,
        level: str,
        syslog: str | None = None,
        config: str | None = None,
        form: LogFormat = "text",
    ) -> None:
        self._file = file
        self._level = LEVELS[level]
        self._syslog = syslog
        self._config = config
        self._form = form
        self._writer = LogWriter("gear.Server")
        self._replaced: list[tuple[logging.Logger, Enqueue]] = []
        self._old_level = logging.getLogger().level
        self.stuck: bool = False

    def check(self) -> None:
        """Check that logging could start; a configuration file is applied.

        Raises:
            ConfigurationError: It could not.
        """
        if self._config is not None:
            self._configure()
            return
        try:
            if self._file not in ("stderr", "none"):
                check_writable(self._file)
        except OSError as error:
            raise ConfigurationError(f"cannot log to {self._file}: {error.strerror}") from error
        self._syslog_handlers()

    def __enter__(self) -> Self:
        """Start logging; raises ConfigurationError if that fails."""
        logging.addLevelName(NOTICE, "NOTICE")
        if self._config is not None:
            self._configure()
        else:
            root = logging.getLogger()
            self._put_in_front(root, self._handlers())
            root.setLevel(self._level)
        self._writer.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Write what is queued, for at most `FLUSH_TIMEOUT`, and stop logging."""
        for logger, enqueue in self._replaced:
            logger.removeHandler(enqueue)
        logging.getLogger().setLevel(self._old_level)
        self.stuck = not self._writer.stop()
        if self.stuck:
            return
        for _, enqueue in self._replaced:
            for sink in enqueue.sinks:
                with contextlib.suppress(OSError):
                    sink.close()
        if self._writer.lost:
            text = f"geard: log lines lost: {self._writer.lost}; {self._writer.reason}\n"
            with contextlib.suppress(OSError):
                os.write(2, text.encode(errors="backslashreplace"))

    @property
    def dropped(self) -> int:
        """How many lines were lost since the start."""
        return self._writer.dropped

    def reopen(self) -> None:
        """Open the log file again, or read the configuration again.

        Raises:
            OSError: The file cannot be opened; logging continues in the old one.
            ConfigurationError: The configuration is invalid; the old one stays in effect.
            TimeoutError: The thread is stuck.
        """
        self._writer.call(self._reopen)

    def _reopen(self) -> None:
        if self._config is not None:
            old, self._replaced = self._replaced, []
            try:
                self._configure()
            except ConfigurationError:
                self._replaced = old
                for logger in _loggers():
                    logger.handlers = [enqueue for owner, enqueue in old if owner is logger]
                raise
        for _, enqueue in self._replaced:
            for sink in enqueue.sinks:
                if isinstance(sink, LogFile):
                    sink.reopen()

    def _put_in_front(self, logger: logging.Logger, sinks: list[logging.Handler]) -> None:
        """Move a logger's handlers behind the writer's thread."""
        enqueue = Enqueue(self._writer, sinks)
        self._replaced.append((logger, enqueue))
        for sink in sinks:
            logger.removeHandler(sink)
        logger.addHandler(enqueue)

    def _configure(self) -> None:
        path = str(self._config)
        try:
            open(path, encoding="utf-8").close()  # fileConfig treats a missing file as an empty one
            logging.config.fileConfig(path, disable_existing_loggers=False, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"--log-config {path}: {error.strerror}") from error
        except Exception as error:  # the classes that it names may raise anything
            raise ConfigurationError(f"--log-config {path}: {error!r}") from error
        for logger in _loggers():
            if logger.handlers:
                self._put_in_front(logger, list(logger.handlers))

    def _handlers(self) -> list[logging.Handler]:
        try:
            return [*self._file_handlers(), *self._syslog_handlers()]
        except OSError as error:
            raise ConfigurationError(f"cannot log to {self._file}: {error.strerror}") from error

    def _file_handlers(self) -> list[logging.Handler]:
        if self._file == "none":
            return []
        handler = DescriptorHandler(2) if self._file == "stderr" else LogFile(self._file)
        handler.setFormatter(JsonFormatter() if self._form == "json" else logging.Formatter(LINE))
        return [handler]

    def _syslog_handlers(self) -> list[logging.Handler]:
        if self._syslog is None:
            return []
        if not os.path.exists(self._syslog):
            raise ConfigurationError(f"cannot log to syslog: there is no {self._syslog}")
        handler = SyslogHandler(self._syslog)
        if self._form == "json":
            handler.ident = f"geard[{os.getpid()}]: "
            handler.setFormatter(JsonFormatter())
        else:
            handler.setFormatter(logging.Formatter(SYSLOG_LINE))
        return [handler]


def _loggers() -> list[logging.Logger]:
    """Return all loggers that there are."""
    named = logging.Logger.manager.loggerDict.values()
    return [logging.getLogger(), *(one for one in named if isinstance(one, logging.Logger))]
