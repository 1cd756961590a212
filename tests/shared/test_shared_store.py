"""The store in PostgreSQL, without a server."""

import itertools
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from gear_server.levels import NOTICE
from gear_server.queue.postgresql import ALONE, LOOKS, PAGE, SILENCE, PostgreSQLStore, check_url
from gear_server.queue.schema import SCHEMA, VERSION
from gear_server.queue.store import Batch, SharedStore, StoredJob, StoreError, StoreMoved
from gear_wire.enums import Precedence
from gear_wire.errors import ConfigurationError
from support.fix_postgresql import Database, PostgreSQL, Proxy
from support.geard_program import wait_until
from support.stored_jobs import job

pytestmark = pytest.mark.peer
NASTY = bytes(range(256))
Open = Callable[..., PostgreSQLStore]


@pytest.fixture
def open_store(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Return a function that opens a store in the database, as if that had run for long."""
    monkeypatch.setattr("gear_server.queue.postgresql._SETTLED", "SELECT true")
    stores = []

    def opened(
        url: str = database.url, owner: bytes = b"H:a", lease: float = 60.0, patience: float = 20.0
    ) -> PostgreSQLStore:
        store = PostgreSQLStore(url, owner, lease, patience)
        stores.append(store)
        return store

    yield opened
    for store in stores:
        store.close()


def look(store: PostgreSQLStore, times: int = LOOKS) -> list[StoredJob]:
    """Look for dead servers, and return the jobs that are taken over."""
    pages = [store.look(take_over=True) for _ in range(times)]
    return [stored for page in itertools.chain.from_iterable(pages) for stored in page]


def leave(store: PostgreSQLStore) -> None:
    """Close a store, and wait until the database has noticed, and a second has passed."""
    session, conninfo = store._pid, store._conninfo
    store.close()
    with psycopg.connect(conninfo, autocommit=True) as other:
        other.execute(
            "UPDATE gear_node SET seen = now() - interval '1 minute' WHERE node = %s",
            (store.reserved >> 40,),
        )
        wait_until(
            lambda: other.execute(
                "SELECT FROM pg_stat_activity WHERE pid = %s", (session,)
            ).fetchone() is None,
            "its session is left",
        )  # fmt: skip


def freeze(database: Database, store: PostgreSQLStore) -> None:
    """Make it look as if a server had shown nothing for an hour."""
    node = store.reserved >> 40
    database.ask(f"UPDATE gear_node SET seen = now() - interval '1 hour' WHERE node = {node}")


def test_what_was_written_is_taken_over_at_the_next_start(open_store: Open) -> None:
    store = open_store()
    first = store.reserved + 1
    jobs = [
        job(first),
        job(first + 1, function=NASTY, unique=NASTY, arguments=NASTY, reducer=NASTY),
        job(first + 2, arguments=b"", unique=b"-", precedence=int(Precedence.HIGH), reducer=b""),
        job(first + 3, due=1 << 62, retries=3),
    ]
    store.write(Batch(added=jobs, limits={b"f": (1, 2, 3), b"g": (4, 5, 6)}, reserved=9))
    store.write(Batch(limits={b"g": None}))
    assert store.count() == 4
    assert isinstance(store, SharedStore)
    leave(store)
    again = open_store()
    assert list(again.load()) == jobs
    assert again.load_limits() == {b"f": (1, 2, 3)}
    assert again.count() == 4
    # Numbers go up, and a server of another name has limits of its own.
    assert again.reserved > first + 3
    assert open_store(owner=b"H:b").load_limits() == {}


def test_a_batch_deletes_adds_replaces_and_counts_retries(open_store: Open) -> None:
    store = open_store()
    first = store.reserved + 1
    store.write(Batch(added=[job(first + number) for number in range(5)]))
    store.write(
        Batch(
            ended=[first, first + 3, first + 77],
            added=[job(first + 3, arguments=b"new"), job(first + 5)],
            retried={first + 1: 2, first + 99: 1},
        )
    )
    leave(store)
    assert [
        (known.number - first, known.arguments, known.retries) for known in open_store().load()
    ] == [(1, b"data", 2), (2, b"data", 0), (3, b"new", 0), (4, b"data", 0), (5, b"data", 0)]


def test_large_data_and_many_jobs_come_back_whole(open_store: Open) -> None:
    store = open_store()
    first = store.reserved + 1
    large = NASTY * (64 << 12)
    jobs = [job(first + number) for number in range(2 * PAGE + 1)]
    jobs += [job(first + len(jobs), arguments=large)]
    store.write(Batch(added=jobs))
    leave(store)
    assert list(open_store().load()) == jobs


def test_a_server_that_lives_keeps_its_jobs(open_store: Open) -> None:
    store, other = open_store(), open_store()
    store.write(Batch(added=[job(store.reserved + 1)]))
    assert look(other, 10) == []
    assert look(store, 10) == []


def test_a_dead_servers_jobs_are_taken_over_once(open_store: Open) -> None:
    store, other, third = open_store(), open_store(), open_store()
    jobs = [job(store.reserved + 1 + number) for number in range(PAGE + 1)]
    store.write(Batch(added=jobs))
    leave(store)
    # One look is not enough: it may be about to reconnect.
    assert look(other, LOOKS - 1) == []
    assert look(other, 1) == jobs
    assert look(third, 10) == []
    assert other.count() == len(jobs)
    # The heir's heir has them too.
    own = job(other.reserved + 1)
    other.write(Batch(ended=[jobs[0].number], added=[own]))
    leave(other)
    assert look(third) == [*jobs[1:], own]
    leave(third)
    assert list(open_store().load()) == [*jobs[1:], own]


def test_who_starts_takes_over_nothing_of_a_server_that_was_just_heard_of(
    open_store: Open, database: Database
) -> None:
    store = open_store()
    mine = job(store.reserved + 1)
    store.write(Batch(added=[mine]))
    leave(store)
    database.ask(f"UPDATE gear_node SET seen = now() WHERE node = {store.reserved >> 40}")
    # It may only be cut off, and still give them out.
    other = open_store()
    assert list(other.load()) == []
    assert look(other, LOOKS - 2) == []
    assert look(other, 1) == [mine]


def test_a_server_is_sure_of_its_jobs_while_the_database_has_just_answered(
    open_store: Open, database: Database, proxy: Proxy
) -> None:
    store = open_store(database.cluster.url(database.name, port=proxy.port), lease=3.0)
    before = time.monotonic()
    look(store, 1)
    assert before + 3.0 <= store.sure_until <= time.monotonic() + 3.0
    look(store, 1)
    seen = time.monotonic()
    proxy.cut(refuse=True)
    with pytest.raises(StoreError):
        look(store, 1)
    # Sooner than anybody takes it over.
    assert store.sure_until <= seen + ALONE
    proxy.accept()
    store.write(Batch(added=[job(store.reserved + 1)]))
    assert store.sure_until > seen + ALONE
    # A host that is lost is noticed by the database before a long lease has passed.
    patient = open_store(lease=60.0)
    assert patient.sure_until <= time.monotonic() + SILENCE + ALONE


def test_nothing_is_taken_over_by_who_does_not_want_it(open_store: Open) -> None:
    store, other = open_store(), open_store()
    store.write(Batch(added=[job(store.reserved + 1)]))
    leave(store)
    for _ in range(2 * LOOKS):
        assert list(other.look(take_over=False)) == []
    assert len(look(other)) == 1


def test_of_several_one_takes_over(open_store: Open) -> None:
    store = open_store()
    jobs = [job(store.reserved + 1 + number) for number in range(20)]
    store.write(Batch(added=jobs))
    others = [open_store() for _ in range(5)]
    leave(store)
    found: list[StoredJob] = []
    threads = [
        threading.Thread(target=lambda other=other: found.extend(look(other, 5)))
        for other in others
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=lambda stored: stored.number) == jobs


def test_who_takes_over_is_not_taken_for_a_frozen_server(
    open_store: Open, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store()
    jobs = [job(store.reserved + 1)]
    store.write(Batch(added=jobs))
    heir, other = open_store(), open_store()
    leave(store)  # it was seen last before a whole lease

    class InBetween(logging.Handler):
        """Has the other look while the heir takes over."""

        def emit(self, record: logging.LogRecord) -> None:
            if record.msg.startswith("Taking over"):
                look(other, 1)

    logger, between = logging.getLogger("gear.Server"), InBetween()
    logger.addHandler(between)
    try:
        with caplog.at_level(NOTICE, "gear.Server"):
            assert look(heir) == jobs
    finally:
        logger.removeHandler(between)
    assert "Taking over" in caplog.text
    assert "frozen" not in caplog.text
    assert look(other) == []


def test_batches_may_be_written_while_jobs_are_taken_over(
    open_store: Open, database: Database, proxy: Proxy
) -> None:
    store = open_store()
    jobs = [job(store.reserved + 1 + number) for number in range(2 * PAGE)]
    store.write(Batch(added=jobs))
    heir = open_store(database.cluster.url(database.name, port=proxy.port))
    leave(store)
    look(heir, LOOKS - 1)
    pages = heir.look(take_over=True)
    found = list(next(pages))
    # The session breaks, is made anew for a batch, and the rest comes all the same.
    proxy.cut()
    heir.write(Batch(added=[job(heir.reserved + 1)]))
    for page in pages:
        found += page
    found += look(heir, 1)
    assert found == jobs
    assert heir.count() == len(jobs) + 1


def test_a_session_that_was_cut_is_made_anew(
    open_store: Open, database: Database, proxy: Proxy
) -> None:
    store, other = open_store(database.cluster.url(database.name, port=proxy.port)), open_store()
    store.write(Batch(added=[job(store.reserved + 1)]))
    proxy.cut()
    store.write(Batch(added=[job(store.reserved + 2)]))
    proxy.cut()
    with pytest.raises(StoreError):
        look(store, 1)
    assert look(store, 1) == []
    # It is the same server.
    assert look(other, 10) == []
    assert store.count() == 2


def test_a_swallowed_answer_to_commit_leaves_one_row(
    open_store: Open, database: Database, proxy: Proxy
) -> None:
    store = open_store(database.cluster.url(database.name, port=proxy.port))
    store.write(Batch(added=[job(store.reserved + 1)]))
    for number in range(store.reserved + 2, store.reserved + 7):
        proxy.swallow()
        store.write(Batch(added=[job(number)], ended=[number - 1]))
        assert proxy.swallowed.is_set()
        assert database.ask("SELECT id FROM gear_job") == [(number,)]


def test_a_batch_that_did_not_reach_the_database_is_written_again(
    open_store: Open, database: Database, proxy: Proxy
) -> None:
    store = open_store(database.cluster.url(database.name, port=proxy.port))
    proxy.cut(refuse=True)
    timer = threading.Timer(0.5, proxy.accept)
    timer.start()
    store.write(Batch(added=[job(store.reserved + 1)]))
    timer.join()
    assert store.count() == 1


def test_patience_ends(open_store: Open, database: Database, proxy: Proxy) -> None:
    store = open_store(database.cluster.url(database.name, port=proxy.port), patience=0.3)
    proxy.cut(refuse=True)
    for number in range(3):
        with pytest.raises(
            StoreError, match=r"^cannot write to PostgreSQL on 127\.0\.0\.1, [^\n]*$"
        ):
            store.write(Batch(added=[job(store.reserved + 1 + number)]))
    proxy.accept()
    store.write(Batch(added=[job(store.reserved + 9)], ended=[store.reserved + 1]))
    assert database.ask("SELECT id FROM gear_job") == [(store.reserved + 9,)]


def test_a_database_that_hangs_is_given_up_when_told_so(
    open_store: Open, database: Database
) -> None:
    store = open_store(patience=0.1)
    with psycopg.connect(database.url) as session:
        session.execute("LOCK TABLE gear_job")
        timer = threading.Timer(0.3, store.interrupt)
        timer.start()
        with pytest.raises(StoreError):
            store.write(Batch(added=[job(store.reserved + 1)]))
        timer.join()
    store.write(Batch(added=[job(store.reserved + 2)], ended=[store.reserved + 1]))
    assert database.ask("SELECT id FROM gear_job") == [(store.reserved + 2,)]


def test_a_crash_of_the_database_is_survived(open_store: Open, database: Database) -> None:
    store, other = open_store(), open_store()
    store.write(Batch(added=[job(store.reserved + 1)]))
    database.cluster.stop()
    restart = threading.Timer(0.3, database.cluster.start)
    restart.start()
    store.write(Batch(added=[job(store.reserved + 2)]))
    restart.join()
    with pytest.raises(StoreError):
        look(other, 1)
    assert look(other, LOOKS + 2) == []
    assert store.count() == 2


def test_who_starts_soon_after_the_database_waits_for_others_to_reconnect(
    open_store: Open, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    store.write(Batch(added=[job(store.reserved + 1)]))
    leave(store)
    monkeypatch.setattr("gear_server.queue.postgresql._SETTLED", "SELECT false")
    other = open_store()
    assert list(other.load()) == []
    assert len(look(other)) == 1


def test_who_was_taken_for_dead_hears_of_it_and_goes_on_as_another(
    open_store: Open, database: Database, proxy: Proxy
) -> None:
    store = open_store(database.cluster.url(database.name, port=proxy.port))
    other = open_store()
    old = job(store.reserved + 1)
    store.write(Batch(added=[old]))
    proxy.cut(refuse=True)
    assert look(other) == [old]
    proxy.accept()
    fresh = job(store.reserved + 2)
    before = store.reserved
    with pytest.raises(StoreMoved) as caught:
        store.write(Batch(added=[fresh]))
    assert not caught.value.down
    assert store.reserved > before
    store.write(Batch(added=[fresh], ended=[old.number]))
    assert database.handles() == {fresh.handle}
    # What is written now is its own, and taken over only when it is dead again.
    assert look(other) == []
    leave(store)
    assert look(other) == [fresh]


def test_who_was_taken_for_dead_in_a_commit_knows_what_became_of_it(
    open_store: Open, database: Database, proxy: Proxy
) -> None:
    store = open_store(database.cluster.url(database.name, port=proxy.port), patience=0.0)
    other = open_store()
    lost = job(store.reserved + 1)
    proxy.swallow()
    with pytest.raises(StoreError):
        store.write(Batch(added=[lost]))
    assert look(other) == [lost]
    # Refused: its number must not be confirmed later, nor that of the next.
    with pytest.raises(StoreMoved) as caught:
        store.write(Batch(ended=[lost.number]))
    assert not caught.value.down


def test_a_batch_that_others_have_taken_over_is_known_to_be_down(
    open_store: Open, database: Database, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(database.cluster.url(database.name, port=proxy.port))
    other = open_store()
    lost = job(store.reserved + 1)
    proxy.swallow()

    def sleep(seconds: float) -> None:
        # Between the commit and the reconnect.
        assert look(other) == [lost]

    monkeypatch.setattr("gear_server.queue.postgresql.time.sleep", sleep)
    with pytest.raises(StoreMoved) as caught:
        store.write(Batch(added=[lost]))
    assert caught.value.down


def test_a_frozen_server_loses_its_session_and_its_jobs(
    open_store: Open, database: Database
) -> None:
    store, other = open_store(), open_store(lease=10.0)
    mine = job(store.reserved + 1)
    store.write(Batch(added=[mine]))
    freeze(database, store)
    assert look(other, LOOKS + 2) == [mine]
    with pytest.raises(StoreMoved):
        for _ in range(2):
            with pytest.raises(StoreError) as caught:
                look(store, 1)
            if isinstance(caught.value, StoreMoved):
                raise caught.value


def test_a_server_whose_statement_takes_long_is_not_frozen(
    open_store: Open, database: Database
) -> None:
    store, other = open_store(), open_store(lease=10.0)
    with psycopg.connect(database.url) as session:
        session.execute("LOCK TABLE gear_job")
        writing = threading.Thread(
            target=store.write, args=(Batch(added=[job(store.reserved + 1)]),)
        )
        writing.start()
        freeze(database, store)
        while not database.one(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'gear_job'::regclass"
        ):
            pass
        assert look(other, 10) == []
    writing.join()
    assert store.count() == 1


def test_a_forked_child_lets_the_connection_go(open_store: Open, database: Database) -> None:
    store, other = open_store(), open_store()
    mine = job(store.reserved + 1)
    store.write(Batch(added=[mine]))
    ready, told = os.pipe()
    end, tell = os.pipe()
    child = os.fork()
    if not child:
        store.abandon()
        os.write(told, b"x")
        os.read(end, 1)
        os._exit(0)
    assert os.read(ready, 1) == b"x"
    # The child has said nothing on it, and does not keep it open.
    assert store.count() == 1
    leave(store)
    assert look(other) == [mine]
    os.write(tell, b"x")
    assert os.waitpid(child, 0)[1] == 0
    for descriptor in (ready, told, end, tell):
        os.close(descriptor)


def test_a_refused_statement_leaves_the_session(open_store: Open, database: Database) -> None:
    store = open_store()
    database.ask("ALTER TABLE gear_job ADD CHECK (precedence < 5)")
    with pytest.raises(StoreError, match="violates check constraint"):
        store.write(Batch(added=[job(store.reserved + 1, precedence=9)]))
    store.write(Batch(added=[job(store.reserved + 2)]))
    assert store.count() == 1


# Opening


def test_the_tables_can_be_made_beforehand_and_used_with_few_rights(
    open_store: Open, database: Database
) -> None:
    database.ask(SCHEMA)
    database.ask("DROP ROLE IF EXISTS few; CREATE ROLE few LOGIN")
    for grant in re.findall("-- +(GRANT .*;)", SCHEMA):
        database.ask(grant.replace("geard", "few"))
    url = database.cluster.url(database.name, "few")
    store, other = open_store(url), open_store(url)
    store.write(Batch(added=[job(store.reserved + 1)], limits={b"f": (1, 2, 3)}))
    freeze(database, store)
    assert len(look(other, LOOKS + 2)) == 1
    with pytest.raises(ConfigurationError, match="permission denied"):
        open_store(database.cluster.url("postgres", "few"))


def test_several_that_start_at_once_make_the_tables_once(open_store: Open) -> None:
    stores: list[PostgreSQLStore] = []
    threads = [threading.Thread(target=lambda: stores.append(open_store())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({store.reserved for store in stores}) == 5


def test_tables_of_another_version_are_refused(open_store: Open, database: Database) -> None:
    open_store()
    database.ask(f"UPDATE gear_version SET version = {VERSION + 1}")
    with pytest.raises(ConfigurationError, match=r"made by another geard \(version 2;"):
        open_store()


def test_two_schemas_of_a_database_are_two_queues(open_store: Open, database: Database) -> None:
    database.ask("CREATE SCHEMA a; CREATE SCHEMA b")
    urls = [make_conninfo(database.url, options=f"-c search_path={name}") for name in "ab"]
    one, other = map(open_store, urls)
    one.write(Batch(added=[job(one.reserved + 1)]))
    leave(one)
    assert look(other, 10) == []
    assert len(list(open_store(urls[0]).load())) == 1


def test_the_rows_of_servers_that_are_gone_go(open_store: Open, database: Database) -> None:
    for _ in range(3):
        leave(open_store())
    database.ask("UPDATE gear_node SET seen = now() - interval '2 hours'")
    leave(open_store())
    open_store()
    assert database.one("SELECT count(*) FROM gear_node WHERE adopter IS NOT NULL") == 1


def test_errors_are_one_sentence_without_the_password(
    open_store: Open, cluster: PostgreSQL
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store("postgresql://me:secret@127.0.0.1:1/db")
    assert re.fullmatch(
        r"cannot use PostgreSQL on 127\.0\.0\.1, database db: .*Connection refused.*",
        str(caught.value),
    )
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="not a URL of PostgreSQL: "):
        check_url("postgresql://host?what=ever")
    assert check_url("postgresql://") == "PostgreSQL"


def test_commits_are_synchronous_whatever_the_database_says(
    open_store: Open, database: Database
) -> None:
    database.ask(f"ALTER DATABASE {database.name} SET synchronous_commit = off")
    store = open_store()
    session = store._connection
    assert session is not None
    assert session.execute("SHOW synchronous_commit").fetchone() == ("on",)
    assert session.execute("SHOW tcp_user_timeout").fetchone() == ("5000",)
    database.ask(f"ALTER DATABASE {database.name} SET synchronous_commit = remote_apply")
    stricter = open_store()._connection
    assert stricter is not None
    assert stricter.execute("SHOW synchronous_commit").fetchone() == ("remote_apply",)
