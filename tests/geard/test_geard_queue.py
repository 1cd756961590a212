"""A geard that keeps background jobs in a file: how it starts, stops and refuses."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gear_server.queue.sqlite import VERSION, SQLiteStore
from gear_server.queue.store import Batch, StoredJob
from gear_wire.enums import PacketType
from gear_wire.packets import (
    SubmitJobBg,
    SubmitJobEpoch,
    SubmitJobHighBg,
    SubmitJobLowBg,
)
from gear_wire.types import FunctionName, UniqueKey
from support.durable import Worker, pending, submit, submit_foreground
from support.fix_peers import Gearmand, require_program
from support.geard_program import (
    HOST,
    TIMEOUT,
    Geard,
    error_of,
    receive,
    run_geard,
    send,
    wait_until,
)

Start = Callable[..., Geard]
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


def queue(path: Path) -> list[str]:
    return ["--queue", f"sqlite:{path}"]


# Survival


def test_a_background_job_survives_kill_9_under_its_handle(start: Start, path: Path) -> None:
    geard = start(*queue(path))
    with geard.connect() as client:
        handle = submit(client, b"data\0\xff")
    geard.kill()
    geard = start(*queue(path), "--job-handle-prefix", "another")
    with Worker(geard) as worker:
        assert worker.grab() == (handle, b"data\0\xff")
        worker.complete(handle)
    geard.stop()
    assert pending(path) == 0


def test_a_clean_stop_says_how_many_jobs_stay(start: Start, path: Path) -> None:
    geard = start(*queue(path))
    with geard.connect() as client:
        handles = [submit(client) for _ in range(3)]
        geard.signal(signal.SIGTERM)
        log = geard.end()
    assert re.search(rf"NOTICE gear\.Server: 3 jobs stay in {path}$", log, re.M)
    assert "lost" not in log
    geard = start(*queue(path))
    geard.wait_for_log(rf"Loaded 3 jobs from {path}$")
    with Worker(geard) as worker:
        assert [worker.grab() for _ in range(3)] == [(handle, b"") for handle in handles]


def test_foreground_jobs_are_lost(start: Start, path: Path) -> None:
    geard = start(*queue(path))
    with geard.connect() as client:
        submit_foreground(client)
        submit(client)
        geard.signal(signal.SIGINT)
        log = geard.end()
    assert "Exiting with 1 jobs lost (0 running, 1 queued)" in log
    assert f"1 jobs stay in {path}" in log
    assert pending(path) == 1


def test_a_job_that_runs_at_the_end_stays(start: Start, path: Path) -> None:
    geard = start(*queue(path), "--grace", "0", "--job-retries", "1")
    with geard.connect() as client, Worker(geard) as worker:
        handle = submit(client, b"x")
        assert worker.grab() == (handle, b"x")
        geard.signal(signal.SIGTERM)
        log = geard.end()
    assert f"1 jobs stay in {path}" in log
    store = SQLiteStore(path)
    assert [(job.handle, job.retries) for job in store.load()] == [(handle, 0)]
    store.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_it_waits_for_running_jobs_only(start: Start, path: Path, number: signal.Signals) -> None:
    geard = start(*queue(path), "--grace", "3600")
    with geard.connect() as client, Worker(geard) as worker:
        first, second = submit(client), submit(client)
        assert worker.grab() == (first, b"")
        geard.signal(number)
        geard.wait_until_refusing()
        assert geard.process.poll() is None
        worker.complete(first)
        log = geard.end()
    assert "waiting for 1 jobs" in log
    assert f"1 jobs stay in {path}" in log
    store = SQLiteStore(path)
    assert [job.handle for job in store.load()] == [second]
    store.close()


def test_numbers_go_on_exactly_after_a_clean_stop(start: Start, path: Path) -> None:
    numbers = []
    for _ in range(2):
        geard = start(*queue(path))
        with geard.connect() as client:
            handles = [submit_foreground(client), submit(client)]
        geard.stop()
        numbers += [int(handle.rpartition(b":")[2]) for handle in handles]
    assert numbers == list(range(numbers[0], numbers[0] + 4))


def test_no_handle_is_given_twice_after_kill_9(start: Start, path: Path) -> None:
    handles: list[bytes] = []
    for _ in range(3):
        geard = start(*queue(path))
        with geard.connect() as client:
            handles += [submit_foreground(client), submit(client), submit_foreground(client)]
        geard.kill()
    assert len(set(handles)) == 9


def test_a_job_for_later_survives(start: Start, path: Path) -> None:
    geard = start(*queue(path))
    with geard.connect() as client:
        for when in (b"%d" % (time.time() + 1), b"4102444800"):
            send(client, SubmitJobEpoch(FunctionName(b"f"), UniqueKey(b""), when, when))
            assert receive(client)[0] == PacketType.JOB_CREATED
    geard.kill()
    geard = start(*queue(path))
    assert geard.status()[0].total == 2
    wait_until(lambda: geard.ask("prioritystatus").split("\t")[2] == "1", "no job comes due")
    with Worker(geard) as worker:
        job = worker.grab()
        assert job is not None
        assert job[1] != b"4102444800"
        assert worker.grab() is None


def test_limits_survive(start: Start, path: Path) -> None:
    geard = start(*queue(path))
    assert geard.ask("create function f") == "OK"
    assert geard.ask("maxqueue f 1") == "OK"
    with geard.connect() as client:
        submit(client)
    geard.kill()
    geard = start(*queue(path))
    with geard.connect() as client:
        send(client, SubmitJobBg(FunctionName(b"f"), UniqueKey(b""), b""))
        assert receive(client) == (PacketType.ERROR, b"QUEUE_ERROR\0Job queue is full")


def test_every_byte_every_precedence_and_the_order_survive(start: Start, path: Path) -> None:
    name, data = FunctionName(b"f"), bytes(range(256))
    geard = start(*queue(path))
    with geard.connect() as client:
        handles = []
        for packet in (
            SubmitJobLowBg(name, UniqueKey(b"low"), data),
            SubmitJobBg(name, UniqueKey(b""), b""),
            SubmitJobBg(name, UniqueKey(b"-"), data),
            SubmitJobBg(name, UniqueKey(b"u" * 64), data[::-1]),
            SubmitJobHighBg(name, UniqueKey(b"high"), data * 1000),
        ):
            send(client, packet)
            kind, handle = receive(client)
            assert kind == PacketType.JOB_CREATED
            handles.append(handle)
    geard.kill()
    low, empty, dash, unique, high = handles
    geard = start(*queue(path))
    with Worker(geard) as worker:
        assert [worker.grab() for _ in range(5)] == [
            (high, data * 1000), (empty, b""), (dash, data), (unique, data[::-1]), (low, data),
        ]  # fmt: skip


def test_a_large_payload_survives(start: Start, path: Path) -> None:
    data = bytes(range(256)) * (64 << 12)
    geard = start(*queue(path))
    with geard.connect() as client:
        handle = submit(client, data)
    geard.kill()
    geard = start(*queue(path))
    with Worker(geard) as worker:
        assert worker.grab() == (handle, data)


# Start


def test_it_loads_before_it_listens(start: Start, path: Path) -> None:
    store = SQLiteStore(path)
    store.write(
        Batch(added=[StoredJob(b"H:a:%d" % number, b"f", None, b"", 0) for number in range(2000)])
    )
    store.close()
    geard = start(*queue(path))
    geard.wait_for_log("listening on")
    log = geard.log.read_text()
    assert log.index(f"Loaded 2000 jobs from {path}") < log.index("listening on")
    assert geard.status()[0].total == 2000


def test_a_second_geard_on_the_file_is_refused(start: Start, path: Path) -> None:
    geard = start(*queue(path))
    error = error_of("-d", "-p", "0", "-L", HOST, *queue(path))
    assert error == f"the queue {path} is in use by another process"
    with geard.connect() as client:
        assert submit(client)


def test_a_file_that_is_no_queue_is_refused(path: Path) -> None:
    path.write_text("text " * 1000)
    for options in ([], ["--check-args"]):
        error = error_of("-d", "-p", "0", "-L", HOST, *queue(path), *options)
        assert error == f"{path} is not a database of SQLite"


def test_a_newer_file_is_refused(path: Path) -> None:
    SQLiteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    for options in ([], ["--check-args"]):
        error = error_of("-d", "-p", "0", "-L", HOST, *queue(path), *options)
        assert error.startswith(f"the queue {path} was written by a newer geard (version 2 ")


@ROOT
def test_a_file_that_it_may_not_write_is_refused(path: Path, folder_of_nobody: Path) -> None:
    file = folder_of_nobody / "queue.db"
    SQLiteStore(file).close()
    for options in ([], ["--check-args"]):
        error = error_of("-d", "-p", "0", "-L", HOST, "-u", "nobody", *queue(file), *options)
        assert "Permission denied" in error
        assert str(file) in error


def test_options_are_checked_without_making_the_file(path: Path) -> None:
    done = run_geard("--check-args", "-d", "-p", "0", "-L", HOST, *queue(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert not path.exists()


def test_options_can_be_checked_while_a_server_has_the_file(start: Start, path: Path) -> None:
    start(*queue(path))
    done = run_geard("--check-args", "-d", "-p", "0", "-L", HOST, *queue(path))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_queue_can_be_given_in_a_file(start: Start, path: Path, tmp_path: Path) -> None:
    config = tmp_path / "geard.toml"
    config.write_text(f'[geard]\nqueue = "sqlite:{path}"\nqueue-sync = "normal"\n')
    geard = start("--config", str(config))
    with geard.connect() as client:
        submit(client)
    geard.stop()
    assert pending(path) == 1


# gearmand's


def test_gearmands_options_mean_the_same(start: Start, path: Path) -> None:
    geard = start("-q", "libsqlite3", "--libsqlite3-db", str(path))
    with geard.connect() as client:
        submit(client)
    geard.stop()
    assert pending(path) == 1


@pytest.mark.peer
def test_a_queue_of_gearmands_is_taken_in(start: Start, path: Path, tmp_path: Path) -> None:
    gearmand = Gearmand(tmp_path, "-q", "libsqlite3", "--libsqlite3-db", str(path))
    data = bytes(range(256))
    with socket.create_connection((gearmand.host, gearmand.port), TIMEOUT) as client:
        for packet in (
            SubmitJobLowBg(FunctionName(b"f"), UniqueKey(b"low"), b"low"),
            SubmitJobBg(FunctionName(b"f"), UniqueKey(b"u1"), data),
            SubmitJobBg(FunctionName(b"f"), UniqueKey(b"u2"), b""),
            SubmitJobHighBg(FunctionName(b"f"), UniqueKey(b"high"), b"high"),
        ):
            send(client, packet)
            assert receive(client)[0] == PacketType.JOB_CREATED
    gearmand.stop()
    for _ in range(2):
        geard = start("-q", "libsqlite3", "--libsqlite3-db", str(path))
        with Worker(geard) as worker:
            jobs = [worker.grab() for _ in range(5)]
        assert [job and job[1] for job in jobs] == [b"high", data, b"", b"low", None]
        geard.stop()


# Refusals


def test_a_full_disk_and_room_again(start: Start, path: Path) -> None:
    require_program("prlimit", "util-linux")
    geard = start(*queue(path), prefix=["prlimit", "--fsize=200000:unlimited"])
    with geard.connect() as client, Worker(geard) as worker:
        kept = [submit(client, b"first")]
        while True:
            send(client, SubmitJobBg(FunctionName(b"f"), UniqueKey(b""), bytes(20_000)))
            kind, handle = receive(client)
            if kind == PacketType.ERROR:
                assert handle == b"QUEUE_ERROR\0Job cannot be stored"
                break
            kept.append(handle)
        assert kept
        geard.wait_for_log(rf"ERROR gear\.Server: Refusing background jobs: .* {path}: ")
        # Foreground jobs go on, and ends are kept.
        foreground = submit_foreground(client, b"now", high=True)
        assert worker.grab() == (foreground, b"now")
        worker.complete(foreground)
        assert receive(client) == (PacketType.WORK_COMPLETE, foreground + b"\0")
        first = worker.grab()
        assert first == (kept[0], b"first")
        worker.complete(kept[0])
        subprocess.run(
            ["prlimit", f"--pid={geard.process.pid}", "--fsize=unlimited:unlimited"],
            check=True,
            timeout=30,
        )
        geard.wait_for_log("Accepting background jobs again")
        kept.append(submit(client, b"last"))
    geard.kill()
    store = SQLiteStore(path)
    assert [job.handle for job in store.load()] == kept[1:]
    store.close()


@pytest.mark.peer
def test_a_sync_that_fails(start: Start, path: Path) -> None:
    """What was refused does not come back, and what was confirmed does."""
    strace = require_program("strace", "strace")
    inject = ["-f", "-qq", "-e", "trace=fdatasync", "-o", "/dev/null"]
    geard = start(
        *queue(path), prefix=[strace, *inject, "-e", "inject=fdatasync:error=EIO:when=14..18"]
    )
    told: dict[bool, list[bytes]] = {True: [], False: []}
    with geard.connect() as client:
        deadline = time.monotonic() + TIMEOUT
        while not told[False] or len(told[True]) < 20:
            assert time.monotonic() < deadline
            send(client, SubmitJobBg(FunctionName(b"f"), UniqueKey(b""), b""))
            kind, answer = receive(client)
            told[kind == PacketType.JOB_CREATED].append(answer)
            if kind == PacketType.ERROR and not geard.logged("Accepting background jobs again"):
                geard.wait_for_log("Accepting background jobs again")
    assert {*told[False]} == {b"QUEUE_ERROR\0Job cannot be stored"}
    geard.kill_traced()
    store = SQLiteStore(path)
    assert [job.handle for job in store.load()] == told[True]
    store.close()


def test_a_writer_that_dies_ends_geard(path: Path) -> None:
    program = """
import sys
from gear_server.geard.cli import main
from gear_server.queue.sqlite import SQLiteStore
write = SQLiteStore.write
def die(self, batch):
    if batch.added:
        raise MemoryError("none left")
    write(self, batch)
SQLiteStore.write = die
sys.exit(main())
"""
    folder = path.parent
    port_file = folder / "port"
    command = [sys.executable, "-c", program, "-d", "-p", "0", "-L", HOST, *queue(path)]
    with subprocess.Popen(
        [*command, "--port-file", str(port_file)], stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + TIMEOUT
        while not port_file.exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)  # a file of another process has no event to wait for
        port = int(port_file.read_text())
        with socket.create_connection((HOST, port), TIMEOUT) as client:
            send(client, SubmitJobBg(FunctionName(b"f"), UniqueKey(b""), b""))
            assert client.recv(100) == b""
        assert process.wait(TIMEOUT) == 1
        assert process.stderr is not None
        errors = process.stderr.read()
    assert "CRITICAL gear.Server: The writer of the queue died; ending" in errors
    assert errors.endswith("geard: the writer of the queue died: MemoryError('none left')\n")
