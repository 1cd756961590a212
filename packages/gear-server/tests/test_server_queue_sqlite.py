import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gear_server.queue.sqlite import (
    APPLICATION_ID,
    FIRST_NUMBERS,
    SPACING,
    SPARE_PAGES,
    VERSION,
    SQLiteStore,
    check_file,
)
from gear_server.queue.store import Batch, StoreError
from gear_wire.enums import Precedence
from gear_wire.errors import ConfigurationError
from support.stored_jobs import job

NASTY = bytes(range(256))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


def test_what_was_written_is_there_when_it_is_opened_again(path: Path) -> None:
    jobs = [
        job(1),
        job(7, function=NASTY, unique=NASTY, arguments=NASTY, reducer=NASTY),
        job(8, arguments=b"", unique=b"-", precedence=int(Precedence.HIGH)),
        job(9, due=1 << 62, retries=3),
    ]
    store = SQLiteStore(path)
    store.write(Batch(added=jobs, limits={b"f": (1, 2, 3)}, reserved=1000))
    store.close()
    again = SQLiteStore(path)
    assert list(again.load()) == jobs
    assert again.load_limits() == {b"f": (1, 2, 3)}
    assert again.reserved == 1000
    assert [known.number for known in jobs] == [1, 7, 8, 9]
    again.close()


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(0, 700), min_size=1, max_size=3))
def test_batches_of_any_size_are_written_whole(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    store = SQLiteStore(tmp_path_factory.mktemp("queue") / "queue.db", "normal")
    total = 0
    for size in sizes:
        store.write(Batch(added=[job(total + place) for place in range(size)]))
        total += size
    assert [known.number for known in store.load()] == list(range(total))
    assert store.count() == total
    store.close()


def test_ends_retries_and_limits_change_what_is_there(path: Path) -> None:
    store = SQLiteStore(path)
    store.write(Batch(added=[job(number) for number in range(5)], limits={b"f": (5, 5, 5)}))
    store.write(Batch(ended=[0, 3, 77], retried={1: 2}, limits={b"f": None, b"g": (1, 1, 1)}))
    assert [(known.number, known.retries) for known in store.load()] == [(1, 2), (2, 0), (4, 0)]
    assert store.load_limits() == {b"g": (1, 1, 1)}
    store.close()


def test_a_full_disk_refuses_a_batch_and_it_goes_on_afterwards(path: Path) -> None:
    store = SQLiteStore(path)
    store.write(Batch(added=[job(1)]))
    store.limit_pages(20)
    with pytest.raises(StoreError, match=r"cannot write to the queue .*: database or disk is full"):
        store.write(Batch(added=[job(number, arguments=b"x" * 60_000) for number in range(2, 9)]))
    assert [known.number for known in store.load()] == [1]
    store.write(Batch(ended=[1]))
    store.limit_pages(1 << 30)
    store.write(Batch(added=[job(20)], ended=list(range(2, 9))))
    assert [known.number for known in store.load()] == [20]
    store.close()


def test_a_file_that_became_read_only_refuses_and_goes_on_afterwards(path: Path) -> None:
    store = SQLiteStore(path)
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="attempt to write a readonly database"):
        store.write(Batch(added=[job(1)]))
    store._connection.execute("PRAGMA query_only = OFF")
    store.write(Batch(added=[job(2)], ended=[1]))
    assert [known.number for known in store.load()] == [2]
    store.close()


def test_one_server_a_file(path: Path) -> None:
    first = SQLiteStore(path)
    with pytest.raises(ConfigurationError, match=r"queue\.db is in use by another process"):
        SQLiteStore(path)
    first.write(Batch(added=[job(1)]))
    first.close()
    second = SQLiteStore(path)
    assert second.count() == 1
    second.close()


def test_what_is_no_store_is_refused_in_one_sentence(path: Path) -> None:
    path.write_bytes(b"no database " * 100)
    with pytest.raises(ConfigurationError, match=r"queue\.db is not a database of SQLite$"):
        SQLiteStore(path)
    assert path.read_bytes() == b"no database " * 100


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE accounts (name TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="but not a queue: it has the table accounts"):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_a_newer_version_is_refused(path: Path) -> None:
    SQLiteStore(path).close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(ConfigurationError, match=r"written by a newer geard \(version 2"):
        SQLiteStore(path)


def test_where_no_file_can_be_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere/queue\.db: No such file or directory"):
        SQLiteStore(tmp_path / "nowhere" / "queue.db")
    with pytest.raises(ConfigurationError, match=r"queue\.db: No such file or directory"):
        SQLiteStore(tmp_path / "queue.db", create=False)
    with pytest.raises(ConfigurationError, match="Is a directory"):
        SQLiteStore(tmp_path)


def test_only_its_owner_can_read_it(path: Path) -> None:
    store = SQLiteStore(path)
    store.write(Batch(added=[job(1)]))
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    store.close()


def make_gearmands(path: Path, table: str = "gearman_queue") -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute(
        f"CREATE TABLE {table} ( unique_key TEXT, function_name TEXT, priority INTEGER, "
        "data BLOB, when_to_run INTEGER, PRIMARY KEY (unique_key, function_name))"
    )
    return connection


@pytest.mark.parametrize("table", ["gearman_queue", '"my ""own"'])
def test_a_queue_of_gearmands_is_taken_in_once(path: Path, table: str) -> None:
    connection = make_gearmands(path, table)
    rows = [
        (b"u1", b"low", 2, b"data", 0),
        (b"u\xff", b"\xfe", 0, NASTY, 0),
        (b"u3", b"later", 1, None, 4102444800),
        (b"", b"later", 1, b"", None),
    ]
    connection.executemany(
        f"INSERT INTO {table} VALUES (CAST(? AS TEXT), CAST(? AS TEXT), ?, ?, ?)", rows
    )
    connection.commit()
    connection.close()
    store = SQLiteStore(path)
    assert store.taken_in == 4
    found = list(store.load())
    assert [(known.function, known.unique, known.precedence) for known in found] == [
        (b"low", b"u1", Precedence.LOW),
        (b"\xfe", b"u\xff", Precedence.HIGH),
        (b"later", b"u3", Precedence.NORMAL),
        (b"later", None, Precedence.NORMAL),
    ]
    assert [known.arguments for known in found] == [b"data", NASTY, b"", b""]
    assert [known.due for known in found] == [0, 0, 4102444800, 0]
    assert [known.number for known in found] == [store.reserved - back for back in (3, 2, 1, 0)]
    store.write(Batch(ended=[found[0].number]))
    store.close()
    again = SQLiteStore(path)
    assert (again.taken_in, again.count()) == (0, 3)
    again.close()


def test_two_tables_of_gearmands_are_refused(path: Path) -> None:
    make_gearmands(path, "one").close()
    make_gearmands(path, "two").close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="not a queue: it has the table two"):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_each_new_file_counts_from_a_number_of_its_own(tmp_path: Path) -> None:
    first, second = SQLiteStore(tmp_path / "one.db"), SQLiteStore(tmp_path / "two.db")
    assert first.reserved != second.reserved
    assert min(first.reserved, second.reserved) >= min(FIRST_NUMBERS) * SPACING
    first.close()
    second.close()


def test_jobs_end_before_others_are_added(path: Path) -> None:
    store = SQLiteStore(path)
    store.write(Batch(added=[job(1), job(2)]))
    store.write(Batch(ended=[1, 2], added=[job(2, arguments=b"new")]))
    assert [(known.number, known.arguments) for known in store.load()] == [(2, b"new")]
    store.close()


def test_the_file_shrinks_once_its_jobs_have_ended(path: Path) -> None:
    store = SQLiteStore(path, "normal")
    store.write(Batch(added=[job(number, arguments=bytes(1 << 20)) for number in range(40)]))
    store.write(Batch(ended=list(range(40))))
    for _ in range(40):
        store.write(Batch(ended=[1]))
    store.close()
    assert path.stat().st_size <= (SPARE_PAGES + 100) * 4096


def test_a_large_payload(path: Path) -> None:
    store = SQLiteStore(path)
    large = job(1, arguments=bytes(range(256)) * (1 << 18))
    store.write(Batch(added=[large]))
    assert list(store.load()) == [large]
    store.close()


def test_a_file_is_checked_without_touching_it(path: Path) -> None:
    check_file(str(path))
    assert not path.exists()
    path.touch()
    check_file(str(path))
    SQLiteStore(path).close()
    check_file(str(path))
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(ConfigurationError, match=r"written by a newer geard \(version 2"):
        check_file(str(path))
    path.write_bytes(b"text")
    with pytest.raises(ConfigurationError, match="is not a database of SQLite"):
        check_file(str(path))


def test_a_forked_child_leaves_the_file_alone(path: Path) -> None:
    program = """
import os, sys
from gear_server.queue.sqlite import SQLiteStore
from gear_server.queue.store import Batch, StoredJob
store = SQLiteStore(sys.argv[1])
store.write(Batch(added=[StoredJob(b"H:a:1", b"f", None, b"", 0)]))
child = os.fork()
if not child:
    store.abandon()
    del store
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
assert os.stat(sys.argv[1] + "-wal").st_size
store.write(Batch(added=[StoredJob(b"H:a:2", b"f", None, b"", 0)]))
assert store.count() == 2
store.close()
"""
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60)
    store = SQLiteStore(path)
    assert store.count() == 2
    store.close()


def test_it_tells_of_damage(path: Path) -> None:
    store = SQLiteStore(path)
    store.write(Batch(added=[job(number, arguments=b"x" * 2000) for number in range(200)]))
    assert store.check() == []
    store.close()
    data = path.read_bytes()
    damaged = bytearray(data)
    first = data.index(b"x" * 2000)
    page = first - first % 4096
    damaged[page : page + 600] = b"\xff" * 600
    path.write_bytes(damaged)
    store = SQLiteStore(path)
    assert store.check()
    with pytest.raises(ConfigurationError, match=r"cannot use the queue .* malformed"):
        list(store.load())
    store.close()
