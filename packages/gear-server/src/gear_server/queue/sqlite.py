"""Keeps background jobs in a file of SQLite."""

import contextlib
import ctypes
import json
import os
import secrets
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from typing import Final

from gear_server.queue.store import Batch, StoredJob, StoredLimits, StoreError, Sync
from gear_wire.enums import Precedence
from gear_wire.errors import ConfigurationError

APPLICATION_ID: Final = 0x67656172
"""``gear`` in ASCII: tells a store from any other file of SQLite."""
VERSION: Final = 1
"""The version of the tables, as ``user_version``."""
CHECKPOINT_PAGES: Final = 4000
"""Pages after which the write-ahead log is begun anew: overwriting costs half of growing a file."""
LOG_SIZE: Final = 64 << 20
"""Bytes to which the log shrinks after a burst."""
FIRST_NUMBERS: Final = range(10_000_000, 100_000_000)
SPACING: Final = 10_000_000_000
"""Each new file begins to count at one of `FIRST_NUMBERS`, times this: a handle of a file that was
replaced never names a job of the new one."""
SPARE_PAGES: Final = 2560
"""Unused pages that a file keeps for later jobs: 10 MiB."""
RECLAIM_PAGES: Final = 256
"""Pages that one quiet batch gives back to the system."""
QUIET: Final = 100
"""A batch that only ends fewer jobs than this is quiet."""

_ROWS: Final = (512, 64, 8, 1)
"""Rows of one INSERT. sqlite3 retakes the interpreter's lock at each step, and waits for it beside
a busy thread: few steps, of few different sizes, whose statements stay prepared."""
_COLUMNS: Final = "number, handle, function, uniq, arguments, precedence, due, reducer, retries"
_WIDTH: Final = _COLUMNS.count(",") + 1
_TABLES: Final = f"""
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY, handle BLOB NOT NULL, function BLOB NOT NULL, uniq BLOB,
    arguments BLOB NOT NULL, precedence INTEGER NOT NULL, due INTEGER NOT NULL, reducer BLOB,
    retries INTEGER NOT NULL
);
CREATE TABLE limits (
    function BLOB PRIMARY KEY, normal INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""
_OF_GEARMAND: Final = {"unique_key", "function_name", "priority", "data", "when_to_run"}
"""The columns of gearmand's table; its name is an option of gearmand's."""
# In gearmand's priorities 0 is high, 1 normal, 2 low. It stores a job without data as NULL.
_TAKE_IN: Final = f"""
INSERT INTO jobs ({_COLUMNS})
SELECT :last + place, CAST('H:gearmand:' || (:last + place) AS BLOB), CAST(function_name AS BLOB),
    NULLIF(CAST(unique_key AS BLOB), x''), CAST(COALESCE(data, x'') AS BLOB),
    CASE priority WHEN 0 THEN {Precedence.HIGH:d} WHEN 2 THEN {Precedence.LOW:d}
        ELSE {Precedence.NORMAL:d} END,
    MAX(0, CAST(COALESCE(when_to_run, 0) AS INTEGER)), NULL, 0
FROM (SELECT *, row_number() OVER (ORDER BY rowid) AS place FROM TABLE)
"""


_HEADER: Final = struct.Struct(">16s44xI4xI28x")
"""The beginning of a file: what it is, `VERSION` and `APPLICATION_ID`."""
_MAGIC: Final = b"SQLite format 3\0"


def check_file(path: str) -> None:
    """Check that a file may be a queue, without opening it as one; fine if it does not exist.

    Raises:
        ConfigurationError: It is something else, or of a newer version.
        OSError: It cannot be read.
    """
    try:
        with open(path, "rb") as file:
            header = file.read(_HEADER.size)
    except FileNotFoundError:
        return
    if not header:
        return
    magic, version, application = _HEADER.unpack(header.ljust(_HEADER.size, b"\0"))
    if magic != _MAGIC:
        raise ConfigurationError(f"{path} is not a database of SQLite")
    _check_version(path, version if application == APPLICATION_ID else 0)


def _check_version(path: str, version: int) -> None:
    if version > VERSION:
        raise ConfigurationError(
            f"the queue {path} was written by a newer geard (version {version} of its tables; "
            f"this one knows {VERSION})"
        )


def _insert(rows: int) -> str:
    marks = f"({', '.join('?' * _WIDTH)})"
    return f"INSERT OR REPLACE INTO jobs ({_COLUMNS}) VALUES {', '.join([marks] * rows)}"


_INSERTS: Final = {rows: _insert(rows) for rows in _ROWS}


class SQLiteStore:
    """Background jobs in one file, which one server at a time may use.

    The file is in WAL mode. With ``full`` each batch is synced to the disk before `write` returns;
    with ``normal`` only each checkpoint is, so that a loss of power loses the last batches.

    Args:
        path: The file; it is created, for its owner alone, if it does not exist.
        sync: Whether a batch must survive a loss of power.
        create: Whether a file that does not exist is created.

    Attributes:
        path: The file.
        reserved: The highest number that any job may have been given.
        taken_in: How many jobs of gearmand's own table were found in the file, and taken in.

    Raises:
        ConfigurationError: The file is not a queue, is one of a newer version, is in use by another
            server, or cannot be read and written; in one sentence.
    """

    def __init__(
        self, path: str | os.PathLike[str], sync: Sync = "full", *, create: bool = True
    ) -> None:
        self.path: str = os.fspath(path)
        self.taken_in: int = 0
        try:
            # Jobs may hold secrets: SQLite would let everybody read them.
            descriptor = os.open(self.path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
            os.close(descriptor)
            self._connection = sqlite3.connect(
                self.path, timeout=0, isolation_level=None, check_same_thread=False,
                cached_statements=32,
            )  # fmt: skip
        except OSError as error:
            raise ConfigurationError(
                f"cannot open the queue {self.path}: {error.strerror}"
            ) from error
        except sqlite3.Error as error:
            raise ConfigurationError(f"cannot open the queue {self.path}: {error}") from error
        try:
            self._open(sync)
            self.reserved: int = self._one("SELECT value FROM meta WHERE name = 'reserved'")
        except BaseException as error:
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                raise self._explain(error) from error
            raise
        most = self._connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        self._rows = [rows for rows in _ROWS if rows * _WIDTH <= most]

    def __repr__(self) -> str:
        return f"<gear_server SQLiteStore path: {self.path}>"

    @property
    def name(self) -> str:
        """The file's path."""
        return self.path

    def _open(self, sync: Sync) -> None:
        run = self._connection.execute
        # Before anything is read: so a second server is refused at once, and the log needs no
        # shared memory.
        run("PRAGMA locking_mode = EXCLUSIVE")
        if not os.path.getsize(self.path):
            run("PRAGMA auto_vacuum = INCREMENTAL")
        run("BEGIN IMMEDIATE")
        try:
            ours = self._one("PRAGMA application_id") == APPLICATION_ID
            version = self._one("PRAGMA user_version")
            foreign = None if ours else self._table_of_gearmand()
        finally:
            run("ROLLBACK")
        if ours:
            _check_version(self.path, version)
        run("PRAGMA journal_mode = WAL")
        run(f"PRAGMA synchronous = {sync}")
        run(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        run(f"PRAGMA journal_size_limit = {LOG_SIZE}")
        if not ours:
            with self._transaction():
                self._create(foreign)

    def _table_of_gearmand(self) -> str | None:
        """Return the quoted name of gearmand's table, if there is one; refuse any other table."""
        run = self._connection.execute
        tables = run(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        found = None
        for (name,) in tables:
            quoted = '"{}"'.format(name.replace('"', '""'))
            columns = {row[1] for row in run(f"PRAGMA table_info({quoted})")}
            if columns != _OF_GEARMAND or found is not None:
                raise ConfigurationError(
                    f"{self.path} is a database, but not a queue: it has the table {name}"
                )
            found = quoted
        return found

    def _create(self, foreign: str | None) -> None:
        """Make the tables, and take in what gearmand left."""
        run = self._connection.execute
        for statement in _TABLES.split(";"):
            run(statement)
        last = secrets.choice(FIRST_NUMBERS) * SPACING
        if foreign is not None:
            # One statement, so that memory does not grow with the table.
            run(_TAKE_IN.replace("TABLE", foreign), {"last": last})
            self.taken_in = self.count()
            run(f"DROP TABLE {foreign}")
        run("INSERT INTO meta VALUES ('reserved', ?)", (last + self.taken_in,))

    def _explain(self, error: sqlite3.Error) -> ConfigurationError:
        name = getattr(error, "sqlite_errorname", "")
        if name == "SQLITE_NOTADB":
            text = f"{self.path} is not a database of SQLite"
        elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            text = f"the queue {self.path} is in use by another process"
        else:
            text = f"cannot use the queue {self.path}: {error}"
        return ConfigurationError(text)

    def _one(self, statement: str) -> int:
        (value,) = self._connection.execute(statement).fetchone()
        return int(value)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # Some errors, such as a full disk, have ended the transaction already.
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            raise

    # Reading

    def count(self) -> int:
        """Return the number of jobs."""
        return self._one("SELECT count(*) FROM jobs")

    def load(self) -> Iterator[StoredJob]:
        """Yield all jobs, in the order of their numbers.

        Raises:
            ConfigurationError: The file is damaged.
        """
        columns = _COLUMNS.removeprefix("number, ")
        try:
            for row in self._connection.execute(f"SELECT {columns} FROM jobs ORDER BY number"):
                yield StoredJob(*row)
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def load_limits(self) -> dict[bytes, StoredLimits]:
        """Return the limits of ``maxqueue`` by function."""
        rows = self._connection.execute("SELECT function, normal, low, high FROM limits")
        return {function: tuple(limits) for function, *limits in rows}

    def check(self) -> list[str]:
        """Return what is damaged in the file, a sentence each."""
        try:
            rows = [str(row) for (row,) in self._connection.execute("PRAGMA integrity_check")]
        except sqlite3.DatabaseError as error:
            return [str(error)]
        return [] if rows == ["ok"] else rows

    # Writing

    def write(self, batch: Batch) -> None:
        """Write a batch; it is down when this returns.

        Raises:
            StoreError: It may be down or not.
        """
        try:
            with self._transaction():
                self._end(batch.ended)
                self._add(batch.added)
                self._change(batch)
        except sqlite3.Error as error:
            raise StoreError(f"cannot write to the queue {self.path}: {error}") from error
        if batch.reserved is not None:
            self.reserved = batch.reserved
        if not batch.added and len(batch.ended) < QUIET:
            self._reclaim()

    def _end(self, numbers: Sequence[int]) -> None:
        if numbers:
            self._connection.execute(
                "DELETE FROM jobs WHERE number IN (SELECT value FROM json_each(?))",
                (json.dumps(numbers),),
            )

    def _add(self, jobs: Sequence[StoredJob]) -> None:
        position = 0
        for rows in self._rows:
            while len(jobs) - position >= rows:
                values: list[object] = []
                for job in jobs[position : position + rows]:
                    values += (
                        job.number, job.handle, job.function, job.unique, job.arguments,
                        job.precedence, job.due, job.reducer, job.retries,
                    )  # fmt: skip
                self._connection.execute(_INSERTS[rows], values)
                position += rows

    def _change(self, batch: Batch) -> None:
        run = self._connection.execute
        if batch.retried:
            self._connection.executemany(
                "UPDATE jobs SET retries = ? WHERE number = ?",
                [(retries, number) for number, retries in batch.retried.items()],
            )
        for function, limits in batch.limits.items():
            run("DELETE FROM limits WHERE function = ?", (function,))
            if limits is not None:
                run("INSERT INTO limits VALUES (?, ?, ?, ?)", (function, *limits))
        if batch.reserved is not None:
            run("UPDATE meta SET value = ? WHERE name = 'reserved'", (batch.reserved,))

    def _reclaim(self) -> None:
        """Give some unused pages back to the system."""
        with contextlib.suppress(sqlite3.Error):  # the batch is down
            unused = self._one("PRAGMA freelist_count") - SPARE_PAGES
            if unused > 0:
                # A script: it has one step per page, and `execute` would take the first alone.
                pages = min(unused, RECLAIM_PAGES)
                self._connection.executescript(f"PRAGMA incremental_vacuum({pages})")

    def limit_pages(self, pages: int) -> None:
        """Let the file grow to so many pages of 4 KiB, and no more."""
        self._connection.execute(f"PRAGMA max_page_count = {pages}")

    def close(self) -> None:
        """Move what the log holds into the file, and close it."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def abandon(self) -> None:
        """Leave the file to the process from which this one was forked.

        Closing it here would end the log that the other process still writes.
        """
        # Kept for ever: not even the end of the interpreter may close it.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
