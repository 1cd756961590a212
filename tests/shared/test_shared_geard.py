"""Several geards on one PostgreSQL: what is acknowledged is done, whoever dies.

GEAR_KILLS says how many rounds of kill -9 are run.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from gear_server.queue.schema import SCHEMA
from gear_wire.enums import PacketType
from gear_wire.packets import SubmitJobBg
from gear_wire.types import UniqueKey
from support.durable import NAME, Worker, submit, submit_foreground
from support.fix_hosts import Host
from support.fix_postgresql import HOST, Database, PgBouncer, Proxy, running_cluster
from support.flood import Doer, Submitter
from support.geard_program import (
    TIMEOUT,
    Geard,
    error_of,
    receive,
    run_geard,
    send,
    wait_until,
)

pytestmark = pytest.mark.peer
ROUNDS = int(os.environ.get("GEAR_KILLS", "20"))


Connect = Callable[[Geard], socket.socket]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return a function that connects to a geard until the end of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda geard: stack.enter_context(geard.connect())


def folder(path: Path, name: str) -> Path:
    made = path / name
    made.mkdir(exist_ok=True)
    return made


def start(path: Path, name: str, url: str, *options: str) -> Geard:
    return Geard(folder(path, name), "--queue", url, *options)


def jobs_of(geard: Geard) -> int:
    return sum(row.total for row in geard.status())


def wait_for_jobs(geard: Geard, number: int) -> None:
    """Wait until a geard has so many jobs, its own and those that it has taken over."""
    wait_until(lambda: jobs_of(geard) == number, f"it does not have {number} jobs")


def do_all(geard: Geard) -> dict[bytes, bytes]:
    """Do all jobs of a geard; returns their data by handle."""
    worker = Doer(geard.connect())
    worker.begin()
    geard.wait_until_idle()
    geard.kill()
    worker.join()
    return worker.done


def test_a_killed_geards_jobs_go_on_at_the_other_within_two_seconds(
    tmp_path: Path, connect: Connect, database: Database
) -> None:
    with (
        start(tmp_path, "one", database.url) as one,
        start(tmp_path, "other", database.url) as other,
    ):
        client = connect(one)
        handles = [submit(client, b"%d" % number) for number in range(10)]
        one.ask("maxqueue f 100")
        own = submit(connect(other), b"own")
        one.kill()
        began = time.monotonic()
        with Worker(other) as worker:
            assert worker.grab() == (own, b"own")
            worker.complete(own)
            other.wait_for_log("Taking over the jobs of server")
            wait_for_jobs(other, 10)
            # Two seconds is what it takes; the rest is for machines with other things to do.
            assert time.monotonic() - began < 2 + 10
            for number, handle in enumerate(handles):
                assert worker.grab() == (handle, b"%d" % number)
                worker.complete(handle)
        other.wait_until_idle()
        other.stop()
    assert database.handles() == set()


def test_a_job_that_ran_at_the_dead_geard_runs_at_the_other(
    tmp_path: Path, connect: Connect, database: Database
) -> None:
    with (
        start(tmp_path, "one", database.url) as one,
        start(tmp_path, "other", database.url) as other,
    ):
        handle = submit(connect(one), b"x", b"unique")
        with Worker(one) as worker, Worker(other) as rescuer:
            assert worker.grab() == (handle, b"x")
            # Another job of this unique is the other's own: both run.
            own = submit(connect(other), b"y", b"unique")
            one.kill()
            wait_for_jobs(other, 2)
            assert {rescuer.grab(), rescuer.grab()} == {(handle, b"x"), (own, b"y")}
            rescuer.complete(handle)
            rescuer.complete(own)
        other.wait_until_idle()
        other.stop()


def test_a_single_geard_goes_on_after_a_restart(
    tmp_path: Path, connect: Connect, database: Database
) -> None:
    with start(tmp_path, "one", database.url) as one:
        client = connect(one)
        with Worker(one):
            handles = [submit(client, b"%d" % number) for number in range(5)]
            foreground = submit_foreground(client)
            one.ask("maxqueue f 7")
            wait_until(lambda: database.one("SELECT count(*) FROM gear_limit") == 1, "no limit")
        one.kill()
    with start(tmp_path, "one", database.url) as one:
        wait_for_jobs(one, 5)
        client = connect(one)
        assert submit_foreground(client) not in {*handles, foreground}
        submit(client)
        send(client, SubmitJobBg(NAME, UniqueKey(b""), b""))
        assert receive(client)[1] == b"QUEUE_ERROR\0Job queue is full"
        log = one.stop()
    assert "6 jobs stay in PostgreSQL on 127.0.0.1, database " in log


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_geards_lose_nothing(tmp_path: Path, database: Database, seed: int) -> None:
    chance = random.Random(seed)
    told: dict[bytes, bytes] = {}
    done: dict[bytes, bytes] = {}
    with (
        start(tmp_path, "one", database.url) as one,
        start(tmp_path, "other", database.url) as other,
    ):
        clients = {
            geard: [Submitter(geard.connect(), depth=32) for _ in range(2)]
            for geard in (one, other)
        }
        workers = {geard: [Doer(geard.connect()) for _ in range(seed % 2)] for geard in clients}
        for geard in (one, other):
            for peer in (*clients[geard], *workers[geard]):
                peer.begin()
        for geard, wait in ((one, chance.uniform(0.05, 0.5)), (other, chance.choice([0, 0.3, 2]))):
            threading.Event().wait(wait)  # the moment is the test
            geard.kill()
            for peer in (*clients[geard], *workers[geard]):
                peer.join()
            for client in clients[geard]:
                assert not client.refused
                told |= client.told
            for worker in workers[geard]:
                done |= worker.done
    # A batch that was on its way when its geard was killed may still be written.
    wait_until(lambda: not database.sessions(), "a session is left")
    kept = database.handles()
    assert told.keys() - kept - done.keys() == set()
    # All are given out again, under their handles.
    with start(tmp_path, "third", database.url) as third:
        wait_for_jobs(third, len(kept))
        again = do_all(third)
    assert again.keys() == kept
    assert all(told[handle] == data for handle, data in again.items() if handle in told)


def test_a_frozen_geard_is_given_up_after_the_lease_and_goes_on_as_another(
    tmp_path: Path, connect: Connect, database: Database
) -> None:
    options = ("--queue-lease", "2")
    with (
        start(tmp_path, "one", database.url, *options) as one,
        start(tmp_path, "other", database.url, *options) as other,
    ):
        client = connect(one)
        handles = {submit(client, b"%d" % number) for number in range(10)}
        one.signal(signal.SIGSTOP)
        wait_for_jobs(other, 10)
        assert other.logged("Ending the session of server .*, which seems frozen")
        one.signal(signal.SIGCONT)
        one.wait_for_log("have taken over the jobs .* forgot 10 that waited here")
        assert jobs_of(one) == 0
        fresh = submit(client, b"fresh")
        with Worker(one) as worker:
            assert worker.grab() == (fresh, b"fresh")
            worker.complete(fresh)
        one.wait_until_idle()
        assert do_all(other).keys() == handles
        one.stop()


def test_what_runs_at_a_frozen_geard_ends_once_it_goes_on(
    tmp_path: Path, connect: Connect, database: Database
) -> None:
    options = ("--queue-lease", "2")
    with (
        start(tmp_path, "one", database.url, *options) as one,
        start(tmp_path, "other", database.url, *options) as other,
    ):
        handle = submit(connect(one), b"x")
        with Worker(one) as worker:
            assert worker.grab() == (handle, b"x")
            one.signal(signal.SIGSTOP)
            wait_for_jobs(other, 1)
            one.signal(signal.SIGCONT)
            one.wait_for_log("have taken over the jobs")
            worker.complete(handle)
            wait_until(lambda: not database.handles(), "its end is not written")
        one.stop()


def test_a_crash_of_the_database_under_load_loses_nothing(
    tmp_path: Path, connect: Connect, database: Database
) -> None:
    with (
        start(tmp_path, "one", database.url) as one,
        start(tmp_path, "other", database.url) as other,
    ):
        clients = [Submitter(geard.connect(), depth=32) for geard in (one, other)]
        for client in clients:
            client.begin()
        wait_until(lambda: all(client.told for client in clients), "nothing is taken")
        database.cluster.stop()
        before = [len(client.told) for client in clients]
        with Worker(one) as worker:
            foreground = connect(one)
            handle = submit_foreground(foreground, high=True)
            assert worker.grab() == (handle, b"")
            worker.complete(handle)
            assert receive(foreground)[0] == PacketType.WORK_COMPLETE
        database.cluster.start()
        for client, number in zip(clients, before, strict=True):
            wait_until(lambda c=client, n=number: len(c.told) > n + 100, "it does not go on")  # type: ignore[misc]  # of a lambda
        for geard in (one, other):
            geard.kill()
        for client in clients:
            client.join()
            assert not client.refused
            assert client.told.keys() <= database.handles()


def test_ten_seconds_without_the_database_are_waited_for_or_refused(
    tmp_path: Path, connect: Connect, database: Database
) -> None:
    with (
        start(tmp_path, "one", database.url, "--queue-patience", "60") as one,
        start(tmp_path, "other", database.url, "--queue-patience", "3") as other,
    ):
        patient, hasty = Submitter(one.connect(), depth=32), connect(other)
        patient.begin()
        kept = submit(hasty)
        wait_until(lambda: bool(patient.told), "nothing is taken")
        database.cluster.stop()
        stopped = time.monotonic()
        for geard in (one, other):
            with Worker(geard) as worker:
                foreground = connect(geard)
                handle = submit_foreground(foreground, high=True)
                assert worker.grab() == (handle, b"")
                worker.complete(handle)
                assert receive(foreground)[0] == PacketType.WORK_COMPLETE
        send(hasty, SubmitJobBg(NAME, UniqueKey(b"refused"), b""))
        assert receive(hasty) == (PacketType.ERROR, b"QUEUE_ERROR\0Job cannot be stored")
        threading.Event().wait(10 - (time.monotonic() - stopped))  # that is the test
        before = len(patient.told)
        database.cluster.start()
        wait_until(lambda: len(patient.told) > before + 100, "it does not go on")
        assert not patient.refused
        other.wait_for_log("Accepting background jobs again")
        last = submit(hasty)
        one.kill()
        patient.join()
        # Nobody has taken the other for dead, and each job is there once.
        told = {kept, last, *patient.told}
        wait_until(lambda: jobs_of(other) >= len(told), "they are not taken over")
        other.stop()
    assert told <= database.handles()
    assert not database.ask(
        "SELECT uniq FROM gear_job WHERE uniq <> '' GROUP BY uniq HAVING count(*) > 1"
    )
    assert not database.ask("SELECT id FROM gear_job WHERE uniq = 'refused'")


def test_a_geard_that_is_cut_off_alone_gives_out_nothing_that_another_has(
    tmp_path: Path, connect: Connect, database: Database, proxy: Proxy
) -> None:
    url = database.cluster.url(database.name, port=proxy.port)
    with (
        start(tmp_path, "one", url) as one,
        start(tmp_path, "other", database.url) as other,
    ):
        client = connect(one)
        handles = [submit(client, b"%d" % number) for number in range(200)]
        given: list[bytes] = []
        with Worker(one) as worker, Worker(other) as heir:
            proxy.cut(refuse=True)

            def look() -> bool:
                job = worker.grab()
                given.extend([] if job is None else [job[0]])
                return jobs_of(other) > 0

            wait_until(look, "they are not taken over")
            assert one.logged("Holding back the jobs in PostgreSQL on ")
            assert worker.grab() is None
            # What it gave out before it held the rest back is known to both, and nothing else.
            assert jobs_of(other) == len(handles)
            others = [job[0] for job in iter(heir.grab, None)]
            assert others == handles
            assert given == handles[: len(given)]
            assert worker.grab() is None
            proxy.accept()
            one.wait_for_log(f"forgot {len(handles) - len(given)} that waited here")
            one.wait_for_log("Giving out the jobs in PostgreSQL on .* again")
            fresh = submit(client)
            assert worker.grab() == (fresh, b"")
        one.stop()


def test_the_jobs_of_a_lost_host_go_on_at_another(tmp_path: Path, host: Host) -> None:
    with running_cluster(host.network) as cluster:
        base = Database(cluster)
        url = cluster.url(base.name, host=host.gateway)
        with (
            start(tmp_path, "other", base.url) as other,
            Geard(
                folder(tmp_path, "one"), "--queue", url, "-L", host.address, prefix=host.prefix
            ) as one,
        ):
            with socket.create_connection((host.address, one.port), TIMEOUT) as client:
                handles = [submit(client, b"%d" % number) for number in range(10)]
                host.lose()
            lost = time.monotonic()
            wait_for_jobs(other, 10)
            # Six or seven seconds is what it takes, and fifteen are promised.
            assert time.monotonic() - lost < 15 + 10
            with Worker(other) as worker:
                assert [given[0] for given in iter(worker.grab, None)] == handles


def test_while_the_database_is_away_submissions_wait_and_are_then_refused(
    tmp_path: Path, connect: Connect, database: Database, proxy: Proxy
) -> None:
    url = database.cluster.url(database.name, port=proxy.port)
    with start(tmp_path, "one", url, "--queue-patience", "3") as one:
        first, second, foreground = connect(one), connect(one), connect(one)
        with Worker(one) as worker, Worker(one) as another:
            runs = submit(first, b"runs")
            assert another.grab() == (runs, b"runs")
            kept = submit(first, b"kept")
            # For less than its patience, nobody notices.
            proxy.cut(refuse=True)
            send(second, SubmitJobBg(NAME, UniqueKey(b""), b"held"))
            handle = submit_foreground(foreground, b"foreground", high=True)
            assert worker.grab() == (handle, b"foreground")
            worker.complete(handle)
            assert receive(foreground)[0] == PacketType.WORK_COMPLETE
            proxy.accept()
            kind, held = receive(second)
            assert kind == PacketType.JOB_CREATED
            assert database.handles() == {runs, kept, held}
            # For longer, they are refused: at first after a while, then at once.
            proxy.cut(refuse=True)
            for _ in range(2):
                send(second, SubmitJobBg(NAME, UniqueKey(b""), b"refused"))
                assert receive(second) == (
                    PacketType.ERROR, b"QUEUE_ERROR\0Job cannot be stored",
                )  # fmt: skip
            # What ends meanwhile is written later, and what waits might be another server's by now.
            another.complete(runs)
            assert worker.grab() is None
            proxy.accept()
            one.wait_for_log("Accepting background jobs again")
            last = submit(second, b"last")
            wait_until(lambda: database.handles() == {kept, held, last}, "the end is not written")
            assert worker.grab() == (kept, b"kept")
        one.stop()


def test_a_database_that_hangs_is_not_waited_for_any_longer(
    tmp_path: Path, connect: Connect, database: Database
) -> None:
    with start(tmp_path, "one", database.url, "--queue-patience", "1") as one:
        client = connect(one)
        with psycopg.connect(database.url) as session:
            session.execute("LOCK TABLE gear_job")
            send(client, SubmitJobBg(NAME, UniqueKey(b""), b"refused"))
            assert receive(client) == (PacketType.ERROR, b"QUEUE_ERROR\0Job cannot be stored")
        one.wait_for_log("Accepting background jobs again")
        handle = submit(client, b"kept")
        assert database.handles() == {handle}
        one.stop()


def test_an_answer_to_commit_that_is_swallowed_leaves_one_row(
    tmp_path: Path, connect: Connect, database: Database, proxy: Proxy
) -> None:
    url = database.cluster.url(database.name, port=proxy.port)
    with start(tmp_path, "one", url) as one:
        client = connect(one)
        handles = set()
        for number in range(5):
            proxy.swallow()
            handles.add(submit(client, b"%d" % number))
        assert database.handles() == handles
        assert do_all(one).keys() == handles


def test_a_stopped_geard_leaves_its_jobs_to_the_other(
    tmp_path: Path, connect: Connect, database: Database
) -> None:
    with (
        start(tmp_path, "one", database.url) as one,
        start(tmp_path, "other", database.url) as other,
    ):
        handle = submit(connect(one), b"x")
        one.signal(signal.SIGTERM)
        assert "1 jobs stay in PostgreSQL" in one.end()
        with Worker(other) as worker:
            wait_for_jobs(other, 1)
            assert worker.grab() == (handle, b"x")


# Starting


def test_a_proxy_that_pools_transactions_is_refused(
    tmp_path: Path, connect: Connect, database: Database, pgbouncer: PgBouncer
) -> None:
    error = error_of("-d", "-p", "0", "-L", HOST, "--queue", pgbouncer.url("transaction"))
    assert "is behind a proxy that pools transactions, such as PgBouncer" in error
    assert "connect to PostgreSQL itself, or have the proxy pool sessions" in error
    error = error_of("-d", "-p", "0", "-L", HOST, "--queue", pgbouncer.url("statement"))
    assert "PostgreSQL on 127.0.0.1" in error
    # One that pools sessions does no harm.
    with start(tmp_path, "one", pgbouncer.url("session")) as one:
        handle = submit(connect(one))
        assert database.handles() == {handle}


def test_the_schema_is_printed_for_who_makes_the_tables(
    tmp_path: Path, connect: Connect, database: Database
) -> None:
    done = run_geard("--queue-schema")
    assert (done.returncode, done.stdout, done.stderr) == (0, SCHEMA, "")
    database.ask(done.stdout)
    with start(tmp_path, "one", database.url) as one:
        submit(connect(one))


def test_a_database_that_is_not_there_is_told_in_one_sentence() -> None:
    url = f"postgresql://me:secret@{HOST}:1/jobs"
    error = error_of("-d", "-p", "0", "-L", HOST, "--queue", url)
    assert error.startswith(f"cannot use PostgreSQL on {HOST}, database jobs: ")
    assert "secret" not in error
    assert error_of("--check-args", "--queue", "postgresql://host?x=y").startswith(
        "not a URL of PostgreSQL: "
    )


def test_without_psycopg_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from gear_server.geard.cli import main\n"
        f"sys.exit(main(['-d', '-p', '0', '-L', '{HOST}', '--queue', 'postgresql://']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("geard: a queue in PostgreSQL requires psycopg 3: pip install ")
    assert "'gear-server[postgresql]'" in done.stderr
