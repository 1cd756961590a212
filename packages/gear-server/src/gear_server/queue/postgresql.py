"""Keeps background jobs in a database of PostgreSQL, which several servers may share.

Each start of a server is a node, with a row of its own and an advisory lock on its number. The
session that holds the lock also writes the node's jobs: a server that has lost the lock cannot
write. When a node's lock is free, another one adopts it, under a shared lock on the same number:
from then on it holds its jobs in memory.
"""

import contextlib
import logging
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Format

from gear_server.levels import NOTICE
from gear_server.queue.schema import SCHEMA, VERSION
from gear_server.queue.store import Batch, StoredJob, StoredLimits, StoreError, StoreMoved
from gear_wire.errors import ConfigurationError
from gear_wire.link.inherited import let_go

NUMBERS: Final = 1 << 40
"""Numbers of jobs that a node has: 127 days of 100,000 jobs a second."""
INTERVAL: Final = 0.5
"""Seconds between looks for nodes without a server."""
LOOKS: Final = 3
"""How often a node must be seen without a server before it is adopted: a server whose session was
cut, or whose database was restarted, has its lock again by then."""
ALONE: Final = (LOOKS - 1) * INTERVAL
"""Seconds that pass at least between the end of a session and a takeover."""
SILENCE: Final = 5.0
"""Seconds without a sign of its client after which a database ends a session, at the earliest."""
PAGE: Final = 2000
"""Jobs that are loaded at a time."""
BACK_OFF: Final = 0.1
"""Seconds between attempts to reconnect: much less than `INTERVAL`."""
SETTLED: Final = "5 seconds"
"""After a start of the database, how long a server that starts adopts nobody at once."""
FORGET: Final = "1 hour"
"""How long the row of a node without jobs is kept: one that comes back learns what it has lost."""

_TRY_AGAIN: Final = "40"
"""The class of errors of transactions that were in each other's way."""
_DEFAULTS: Final = {
    "application_name": "geard",
    "connect_timeout": "3",
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
"""Parameters of the connection, unless the URL gives them: a host that is lost is noticed soon."""
# The last two: a plan that was made while the table was small must not scan a large one.
_SESSION: Final = """
SELECT set_config(name, value, false) FROM pg_settings JOIN (VALUES
    ('tcp_keepalives_idle', '3'), ('tcp_keepalives_interval', '1'), ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '5000'), ('idle_session_timeout', '0'), ('lock_timeout', '0'),
    ('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
    ('default_transaction_isolation', 'read committed'), ('synchronous_commit', 'on'),
    ('jit', 'off'), ('enable_seqscan', 'off')
) AS ours (name, value) USING (name)
WHERE name <> 'synchronous_commit' OR setting = 'off'
"""
_CLASS: Final = "'gear_node'::regclass::oid::integer"
_ABSENT: Final = "SELECT to_regclass('gear_version') IS NULL"
_NEW_NODE: Final = f"""
WITH made AS (INSERT INTO gear_node (name) VALUES (%s) RETURNING node)
SELECT node, pg_advisory_lock({_CLASS}, node) FROM made
"""
_LOCK: Final = f"SELECT pg_try_advisory_lock({_CLASS}, %s)"
_STATE: Final = "SELECT adopter, batch FROM gear_node WHERE node = %s"
_END_SESSION: Final = f"""
SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = {_CLASS} AND objid = %(node)s::integer AND objsubid = 2 AND pid = %(pid)s
"""
_COLUMNS: Final = "handle, function, uniq, arguments, precedence, due, reducer, retries"
# Not COPY: that costs less from some 500 rows on, but takes three round trips more, so that batches
# up to 64 cost more; and it replaces nothing.
_WRITE: Final = f"""
WITH ended AS (DELETE FROM gear_job WHERE id = ANY(%(ended)b::bigint[])),
added AS (
    INSERT INTO gear_job (node, id, {_COLUMNS})
    SELECT %(node)s, * FROM unnest(
        %(id)b::bigint[], %(handle)b::bytea[], %(function)b::bytea[], %(uniq)b::bytea[],
        %(arguments)b::bytea[], %(precedence)b::bigint[], %(due)b::bigint[],
        %(reducer)b::bytea[], %(retries)b::bigint[]
    )
    ON CONFLICT (id) DO UPDATE SET node = EXCLUDED.node, uniq = EXCLUDED.uniq,
        arguments = EXCLUDED.arguments, precedence = EXCLUDED.precedence, due = EXCLUDED.due,
        reducer = EXCLUDED.reducer, retries = EXCLUDED.retries
)
UPDATE gear_node SET batch = %(batch)s, seen = now() WHERE node = %(node)s
"""
_RETRY: Final = "UPDATE gear_job SET retries = %s WHERE id = %s"
_UNLIMIT: Final = "DELETE FROM gear_limit WHERE name = %s AND function = %s"
_LIMIT: Final = "INSERT INTO gear_limit VALUES (%s, %s, %s, %s, %s)"
_LIMITS: Final = "SELECT function, normal, low, high FROM gear_limit WHERE name = %s"
_BEAT: Final = "UPDATE gear_node SET seen = now() WHERE node = %s"
_PID: Final = "SELECT pg_backend_pid()"
# A session that works on something is not frozen, however long it takes: it is the database that
# is slow. One that waits for its client in the middle of something is.
_LOOK: Final = f"""
SELECT n.node, l.pid,
    n.seen < now() - make_interval(secs => %(lease)s)
        AND (a.state IS DISTINCT FROM 'active' OR a.wait_event_type = 'Client'),
    n.seen > now() - make_interval(secs => %(alone)s)
FROM gear_node n
LEFT JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.classid = {_CLASS}
    AND l.mode = 'ExclusiveLock'
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.objid = n.node AND l.objsubid = 2
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE n.adopter IS NULL AND n.node <> %(node)s
"""
# Shared: by that, others can tell who adopts a node from its own server, which may look frozen. Of
# several, the lock of the row lets one adopt it.
_TRY: Final = f"""
SELECT pg_try_advisory_xact_lock_shared({_CLASS}, node) FROM gear_node
WHERE node = %s AND adopter IS NULL FOR UPDATE SKIP LOCKED
"""
_ADOPT: Final = """
UPDATE gear_node SET adopter = %(node)s
WHERE (node = %(dead)s AND adopter IS NULL) OR adopter = %(dead)s
"""
_ADOPTED: Final = "SELECT node FROM gear_node WHERE adopter = %s"
_IDS: Final = "SELECT id FROM gear_job WHERE node = ANY(%s) ORDER BY id"
_JOBS: Final = f"SELECT {_COLUMNS} FROM gear_job WHERE id = ANY(%s::bigint[]) ORDER BY id"
_COUNT: Final = """
SELECT count(*) FROM gear_job JOIN gear_node n USING (node) WHERE %s IN (node, n.adopter)
"""
_SETTLED: Final = f"SELECT pg_postmaster_start_time() < now() - interval '{SETTLED}'"
_SWEEP: Final = f"""
DELETE FROM gear_node n WHERE adopter IS NOT NULL AND seen < now() - interval '{FORGET}'
    AND NOT EXISTS (SELECT FROM gear_job j WHERE j.node = n.node)
"""


class _Bytes(list[bytes | None]):
    """The values of a column of bytea."""


class _Integers(list[int]):
    """The values of a column of bigint."""


def _header(count: int, oid: int) -> bytes:
    # Dimensions, whether there may be NULLs, type of elements, size, first index.
    return struct.pack("!iiIii", 1, 1, oid, count, 1)


class _BytesDumper(Dumper):
    """Packs a column of bytea: psycopg's own dumper would send text, or stumble over NULLs."""

    format = Format.BINARY
    oid = 1001

    def dump(self, obj: Any) -> bytes:
        parts = [_header(len(obj), 17)]
        for value in obj:
            parts += (b"\xff\xff\xff\xff",) if value is None else (_size(len(value)), value)
        return b"".join(parts)


class _IntegersDumper(Dumper):
    """Packs a column of bigint: always of this type, so that a statement is prepared once."""

    format = Format.BINARY
    oid = 1016

    def dump(self, obj: Any) -> bytes:
        sized = [number for value in obj for number in (8, value)]
        return _header(len(obj), 20) + struct.pack("!" + "iq" * len(obj), *sized)


_size: Final = struct.Struct("!i").pack


def sentence(error: Exception) -> str:
    """Return the text of one of libpq's errors, which has several lines, as one."""
    return " ".join(str(error).split()) or type(error).__name__


def check_url(url: str) -> str:
    """Return what a URL is called in log lines and errors, which has no password.

    Raises:
        ConfigurationError: It is not one.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise ConfigurationError(f"not a URL of PostgreSQL: {sentence(error)}") from error
    host, database = given.get("host"), given.get("dbname")
    return (
        f"PostgreSQL{f' on {host}' if host else ''}{f', database {database}' if database else ''}"
    )


class PostgreSQLStore:
    """Background jobs in a database, where several servers have theirs.

    A connection that is lost is made anew. While that takes no longer than `patience`, nobody
    notices. Each batch writes its number, so it is known afterwards whether it is down.

    Args:
        url: The database, as libpq takes it.
        owner: Whose limits of ``maxqueue`` these are.
        lease: Seconds after which a server that does not show that it lives counts as dead.
        patience: Seconds for which a batch waits for a database that is away.

    Attributes:
        interval: Seconds between calls of `look`.
        patience: As given.
        sure_until: When others may take over this server's jobs at the earliest.

    Raises:
        ConfigurationError: The database cannot be used; in one sentence.
    """

    interval: float = INTERVAL

    def __init__(self, url: str, owner: bytes, lease: float, patience: float) -> None:
        self.patience: float = patience
        self.sure_until: float = 0.0
        self._name = check_url(url)
        given = conninfo_to_dict(url)
        more = {name: value for name, value in _DEFAULTS.items() if name not in given}
        self._conninfo = make_conninfo(url, **more)
        self._owner = owner
        self._lease = lease
        self._log = logging.getLogger("gear.Server")
        self._connection: _Connection | None = None
        self._socket: socket.socket | None = None
        self._pid = 0
        self._node = 0
        self._nodes: set[int] = set()
        self._ids: list[int] = []
        self._unread = True
        self._unseen: dict[int, int] = {}
        self._batch = 0
        self._written = 0
        self._trying = False
        self._lost_at: float | None = None
        self._seen_at = 0.0
        try:
            connection = self._connect()
            self._refuse_pooler(connection)
            self._prepare(connection)
            self._begin(connection)
            connection.execute(_SWEEP)
            self._look(connection, 1 if _one(connection, _SETTLED) else LOOKS)
        except psycopg.Error as error:
            self.close()
            raise ConfigurationError(f"cannot use {self._name}: {sentence(error)}") from error
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<gear_server PostgreSQLStore {self._name} node: {self._node}>"

    @property
    def name(self) -> str:
        """The database, without a password."""
        return self._name

    @property
    def reserved(self) -> int:
        """The number that this node's jobs are above."""
        return self._node * NUMBERS

    # The session

    def _connect(self) -> "_Connection":
        """Connect; what is left of an earlier connection is dropped."""
        self._drop()
        connection: _Connection = psycopg.connect(
            self._conninfo, autocommit=True, prepare_threshold=1
        )
        self._connection = connection
        # A descriptor of its own: that of the connection may be another file's when it is used.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        connection.adapters.register_dumper(_Bytes, _BytesDumper)
        connection.adapters.register_dumper(_Integers, _IntegersDumper)
        connection.execute(_SESSION)
        return connection

    def _drop(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    def _refuse_pooler(self, connection: "_Connection") -> None:
        """Refuse a proxy that gives each transaction any session: a lock belongs to one."""
        ours = _one(connection, _PID)
        with psycopg.connect(self._conninfo, autocommit=True) as other, other.transaction():
            # Either the proxy gives it our session, or it takes one that we might be given next.
            shared = _one(other, _PID) == ours
            if shared or _one(connection, _PID) != ours:
                raise ConfigurationError(
                    f"{self._name} is behind a proxy that pools transactions, such as PgBouncer: "
                    "connect to PostgreSQL itself, or have the proxy pool sessions"
                )

    def _prepare(self, connection: "_Connection") -> None:
        """Make the tables if there are none; refuse those of another version."""
        if _one(connection, _ABSENT):
            # Of several servers that start at once, one makes them. The lock is the session's: only
            # a transaction that begins after it is taken sees what others have made.
            connection.execute("SELECT pg_advisory_lock(hashtext('gear_version'))")
            if _one(connection, _ABSENT):
                with connection.transaction():
                    connection.execute(SCHEMA)
            connection.execute("SELECT pg_advisory_unlock(hashtext('gear_version'))")
        version = _one(connection, "SELECT max(version) FROM gear_version")
        if version != VERSION:
            raise ConfigurationError(
                f"the tables in {self._name} were made by another geard (version {version}; this "
                f"one knows {VERSION})"
            )

    def _begin(self, connection: "_Connection") -> None:
        """Become a new node."""
        began = time.monotonic()
        # Nobody sees its row before it has its lock.
        with connection.transaction():
            self._node = _one(connection, _NEW_NODE, self._owner)
        self._pid = _one(connection, _PID)
        self._batch = self._written = 0
        self._nodes.clear()
        self._ids.clear()
        self._unseen.clear()
        self._lost_at = None
        self._note_seen(began)

    def _beat(self, connection: "_Connection") -> None:
        """Show that this server lives."""
        began = time.monotonic()
        connection.execute(_BEAT, (self._node,))
        self._note_seen(began)

    def _note_seen(self, began: float) -> None:
        """Note that the database has taken something that was said at a time."""
        self._seen_at = began
        self.sure_until = began + min(self._lease, SILENCE + ALONE)

    def _session(self) -> "_Connection":
        """Return the connection with this node's lock, made anew if it was lost.

        Raises:
            psycopg.Error: There is none for now.
            StoreMoved: Others have adopted this node; it is a new one from now on.
        """
        connection = self._connection
        if connection is not None and not connection.closed:
            return connection
        connection = self._connect()
        if not _one(connection, _LOCK, self._node):
            # The database may not know yet that the client of the old session is gone.
            connection.execute(_END_SESSION, {"node": self._node, "pid": self._pid})
            self._drop()
            raise psycopg.OperationalError("the lock of this server is not free yet")
        row = connection.execute(_STATE, (self._node,)).fetchone()
        if row is None or row[0] is not None:
            down = self._trying and row is not None and row[1] == self._batch
            self._begin(connection)
            raise StoreMoved(
                f"Other servers have taken over the jobs that {self._name} kept for this one",
                down=down,
            )
        self._beat(connection)
        self._pid = _one(connection, _PID)
        self._written = row[1]
        self._unread = True
        return connection

    def _explain(self, error: psycopg.Error) -> StoreError:
        return StoreError(f"cannot write to {self._name}: {sentence(error)}")

    def _lost(self, error: psycopg.Error) -> bool:
        """Return whether the session is lost, rather than a statement refused."""
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            self._drop()  # it is a standby by now: of several hosts, another may be right
        lost = self._connection is None or self._connection.closed
        if lost:
            self.sure_until = min(self.sure_until, self._seen_at + ALONE)
        return lost

    # Reading

    def count(self) -> int:
        """Return the number of jobs of this server."""
        return int(_one(self._session(), _COUNT, self._node))

    def load(self) -> Iterator[StoredJob]:
        """Yield the jobs that were taken over at the start.

        Raises:
            ConfigurationError: The database cannot be read.
        """
        try:
            for jobs in self._pages():
                yield from jobs
        except psycopg.Error as error:
            raise ConfigurationError(f"cannot read from {self._name}: {sentence(error)}") from error

    def load_limits(self) -> dict[bytes, StoredLimits]:
        """Return the limits of ``maxqueue`` by function."""
        rows = self._session().execute(_LIMITS, (self._owner,))
        return {function: tuple(limits) for function, *limits in rows}

    def _pages(self) -> Iterator[list[StoredJob]]:
        """Yield the jobs that were taken over and not read yet, some at a time."""
        if self._unread:
            rows = self._session().execute(_ADOPTED, (self._node,)).fetchall()
            fresh = {node for (node,) in rows} - self._nodes
            if fresh:
                rows = self._session().execute(_IDS, (list(fresh),), binary=True).fetchall()
                self._ids += [number for (number,) in rows]
                self._nodes |= fresh
            self._unread = False
        while self._ids:
            # The session may be another one than before: a batch may have been written meanwhile.
            some = _Integers(self._ids[:PAGE])
            self._beat(self._session())  # many pages take longer than a lease
            rows = self._session().execute(_JOBS, (some,), binary=True).fetchall()
            del self._ids[:PAGE]
            yield [StoredJob(*row) for row in rows]

    # Writing

    def write(self, batch: Batch) -> None:
        """Write a batch; it is down when this returns.

        Raises:
            StoreMoved: Others have adopted this node; what is written again is the new one's.
            StoreError: It is not down, or that cannot be known yet.
        """
        began = time.monotonic()
        self._batch += 1
        try:
            while True:
                try:
                    connection = self._session()
                    if not (self._trying and self._written == self._batch):
                        self._trying = True
                        sent = time.monotonic()
                        self._send(connection, batch)
                        self._note_seen(sent)
                    self._lost_at = None
                    return
                except psycopg.Error as error:
                    if (error.sqlstate or "").startswith(_TRY_AGAIN):
                        continue
                    if not self._lost(error):
                        raise self._explain(error) from error
                    if self._lost_at is None:
                        self._lost_at = began
                    if time.monotonic() + BACK_OFF > self._lost_at + self.patience:
                        raise self._explain(error) from error
                    time.sleep(BACK_OFF)
        finally:
            self._trying = False

    def _send(self, connection: "_Connection", batch: Batch) -> None:
        jobs = batch.added
        numbers = [job.number for job in jobs]
        ended = batch.ended
        if ended and jobs:
            # One statement may not delete a row and replace it.
            replaced = set(numbers)
            ended = [number for number in ended if number not in replaced]
        columns = {
            "node": self._node,
            "batch": self._batch,
            "ended": _Integers(ended),
            "id": _Integers(numbers),
            "handle": _Bytes([job.handle for job in jobs]),
            "function": _Bytes([job.function for job in jobs]),
            "uniq": _Bytes([job.unique for job in jobs]),
            "arguments": _Bytes([job.arguments for job in jobs]),
            "precedence": _Integers([job.precedence for job in jobs]),
            "due": _Integers([job.due for job in jobs]),
            "reducer": _Bytes([job.reducer for job in jobs]),
            "retries": _Integers([job.retries for job in jobs]),
        }
        if not batch.retried and not batch.limits:
            connection.execute(_WRITE, columns)
            return
        with connection.transaction():
            connection.execute(_WRITE, columns)
            for number, retries in batch.retried.items():
                connection.execute(_RETRY, (retries, number))
            for function, limits in batch.limits.items():
                connection.execute(_UNLIMIT, (self._owner, function))
                if limits is not None:
                    connection.execute(_LIMIT, (self._owner, function, *limits))

    # The other servers

    def look(self, *, take_over: bool) -> Iterator[list[StoredJob]]:
        """Show that this server lives, and look for those that do not.

        Args:
            take_over: Whether their jobs are taken over.

        Yields:
            Jobs that were taken over, some at a time; a batch may be written in between.

        Raises:
            StoreMoved: Others have adopted this node; it is a new one from now on.
            StoreError: The database cannot be reached.
        """
        try:
            connection = self._session()
            self._lost_at = None
            self._beat(connection)
            if take_over:
                self._look(connection, LOOKS)
                yield from self._pages()
        except psycopg.Error as error:
            self._lost(error)
            raise self._explain(error) from error

    def _look(self, connection: "_Connection", looks: int) -> None:
        """Adopt the nodes that were seen so many times without a server.

        One whose server was heard of a moment ago is looked at `LOOKS` times in any case.
        """
        unseen, recent = {}, set()
        values = {"node": self._node, "lease": self._lease, "alone": ALONE}
        for node, pid, frozen, heard_of in connection.execute(_LOOK, values).fetchall():
            if pid is None:
                unseen[node] = self._unseen.get(node, 0) + 1
                recent |= {node} if heard_of else set()
            elif frozen:
                self._log.warning("Ending the session of server %d, which seems frozen", node)
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        self._unseen = unseen
        for node, times in list(unseen.items()):
            if times < (LOOKS if node in recent else looks):
                continue
            with connection.transaction():
                # Nobody else adopts it meanwhile, and its own server does not come back.
                if connection.execute(_TRY, (node,)).fetchone() == (True,):
                    self._log.log(NOTICE, "Taking over the jobs of server %d, which is gone", node)
                    connection.execute(_ADOPT, {"node": self._node, "dead": node})
                    self._unread = True

    # Ending

    def interrupt(self) -> None:
        """Have what waits for the database fail soon; called on any thread."""
        sock = self._socket
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Leave the jobs to others, and disconnect."""
        self._drop()

    def abandon(self) -> None:
        """Leave the connection to the process from which this one was forked."""
        # psycopg says nothing on a connection of another process. But while a descriptor of it is
        # open here, the database does not see that process end.
        sock, self._socket = self._socket, None
        connection, self._connection = self._connection, None
        if sock is not None:
            sock.close()
        if connection is not None:
            _abandoned.append(connection)
            let_go([connection.fileno()])


_Connection = psycopg.Connection[tuple[Any, ...]]
_abandoned: Final[list[_Connection]] = []
"""Connections of the process from which this one was forked, which must not warn when they go."""


def _one(connection: _Connection, query: str, *values: object) -> Any:
    """Return the first value of the first row."""
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return row[0]
