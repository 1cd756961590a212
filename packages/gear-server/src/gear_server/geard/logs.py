"""Where `geard` logs: a file that can be opened again, standard error, syslog."""

import logging
import logging.config
import logging.handlers
import os
import sys
from typing import ClassVar, Final, Self

from gear_wire.errors import ConfigurationError

NOTICE: Final = (logging.INFO + logging.WARNING) // 2
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


class LogFile(logging.FileHandler):
    """A log file that can be opened again after it was moved away."""

    def reopen(self) -> None:
        """Go on in a new file of the same name; in the old one, with OSError, if that fails."""
        old = self.setStream(self._open())
        if old is not None:
            old.close()


class SyslogHandler(logging.handlers.SysLogHandler):
    """Logs to syslog, which has a level for NOTICE."""

    priority_map: ClassVar[dict[str, str]] = {
        **logging.handlers.SysLogHandler.priority_map,
        "NOTICE": "notice",
    }

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop a line that syslog does not take, as when it restarts."""


class Logs:
    """The handlers of the root logger, for the time of a `with` block.

    Args:
        file: A path, ``stderr`` or ``none``.
        level: One of `LEVELS`.
        syslog: Where syslog listens, to log there as well; None not to.
        config: A file for `logging.config`, which then decides everything; None for none.
    """

    def __init__(
        self, file: str, level: str, syslog: str | None = None, config: str | None = None
    ) -> None:
        self._file = file
        self._level = LEVELS[level]
        self._syslog = syslog
        self._config = config
        self._handlers: list[logging.Handler] = []
        self._old_level = logging.getLogger().level

    def __enter__(self) -> Self:
        """Begin to log; raises ConfigurationError when that cannot be done."""
        logging.addLevelName(NOTICE, "NOTICE")
        if self._config is not None:
            self._configure()
            return self
        try:
            self._handlers = [self._file_handler(), *self._syslog_handlers()]
        except OSError as error:
            raise ConfigurationError(f"cannot log to {self._file}: {error.strerror}") from error
        root = logging.getLogger()
        root.setLevel(self._level)
        for handler in self._handlers:
            root.addHandler(handler)
        return self

    def __exit__(self, *error: object) -> None:
        """Log no more."""
        root = logging.getLogger()
        for handler in self._handlers:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(self._old_level)

    def reopen(self) -> None:
        """Open the log file again, or read the configuration again.

        Raises:
            OSError: The file cannot be opened; the old one goes on.
            ConfigurationError: The configuration makes no sense.
        """
        if self._config is not None:
            self._configure()
        for handler in self._handlers:
            if isinstance(handler, LogFile):
                handler.reopen()

    def _configure(self) -> None:
        path = str(self._config)
        try:
            open(path, encoding="utf-8").close()  # fileConfig takes a missing file for an empty one
            logging.config.fileConfig(path, disable_existing_loggers=False, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"--log-config {path}: {error.strerror}") from error
        except Exception as error:  # whatever the classes that it names raise
            raise ConfigurationError(f"--log-config {path}: {error!r}") from error

    def _file_handler(self) -> logging.Handler:
        if self._file == "none":
            return logging.NullHandler()
        handler: logging.Handler
        if self._file == "stderr":
            handler = logging.StreamHandler(sys.stderr)
        else:
            handler = LogFile(self._file, encoding="utf-8")
        handler.setFormatter(logging.Formatter(LINE))
        return handler

    def _syslog_handlers(self) -> list[logging.Handler]:
        if self._syslog is None:
            return []
        if not os.path.exists(self._syslog):
            raise ConfigurationError(f"cannot log to syslog: there is no {self._syslog}")
        handler = SyslogHandler(self._syslog)
        handler.setFormatter(logging.Formatter(SYSLOG_LINE))
        return [handler]
