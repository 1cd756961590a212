"""TLS with the other libraries that have it: Perl's, and gear 0.16 whose newest version is 1.2."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from support.certificates import Authority, Files
from support.daemon import Server, start_geard, tls_options

from .programs import ClientProgram, Processes, Toolbox, WorkerProgram, start_gear016

pytestmark = [pytest.mark.peer, pytest.mark.timeout(40)]

WAIT = 20
LARGE = bytes(range(256)) * 1000
PROGRAMS = pytest.mark.parametrize("program", ["perl", "gear016"])


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """One certificate for servers and clients."""
    return Authority(tmp_path / "authority").issue("127.0.0.1", "localhost")


@pytest.fixture
def secure_geard(tmp_path: Path, files: Files) -> Iterator[Server]:
    """geard with TLS."""
    server = start_geard(tmp_path, *tls_options(files))
    yield server
    server.stop()


@pytest.fixture
def secure_gear016(tmp_path: Path, files: Files, toolbox: Toolbox) -> Iterator[Server]:
    """The server of gear 0.16 with TLS."""
    server = start_gear016(toolbox, tmp_path, *tls_options(files))
    yield server
    server.stop()


def reverse_all(worker: gear.Worker) -> None:
    """Reverse the arguments of jobs until the worker is shut down."""
    try:
        while True:
            job = worker.getJob()
            job.sendWorkComplete(job.arguments[::-1])
    except gear.InterruptedError:
        return


def start_worker(server: Server, files: Files) -> tuple[gear.Worker, threading.Thread]:
    """Start a worker of gear's."""
    worker = gear.Worker("worker")
    worker.registerFunction("reverse")
    worker.addServer(server.host, server.port, *files)
    worker.waitForServer()
    thread = threading.Thread(target=reverse_all, args=(worker,))
    thread.start()
    return worker, thread


def ask(server: Server, files: Files, name: str, arguments: bytes) -> bytes:
    """Have a job done by a client of gear's."""
    client = gear.Client("client")
    client.addServer(server.host, server.port, *files)
    client.waitForServer()
    try:
        job = gear.Job(name, arguments)
        client.submitJob(job)
        return job.result(WAIT)
    finally:
        client.shutdown()


@PROGRAMS
def test_a_client(
    program: str, secure_geard: Server, files: Files, toolbox: Toolbox, processes: Processes
) -> None:
    client = ClientProgram(program, toolbox.command(program, "client"), secure_geard, processes)
    worker, thread = start_worker(secure_geard, files)
    try:
        for data in (b"test string", LARGE):
            events = client.ask("run", data, function="reverse", **files._asdict())
            assert events[1:] == [("complete", data[::-1])]
    finally:
        worker.shutdown()
        thread.join()


@PROGRAMS
def test_a_worker(
    program: str, secure_geard: Server, files: Files, toolbox: Toolbox, processes: Processes
) -> None:
    command = toolbox.command(program, "worker")
    WorkerProgram(program, command, secure_geard, "their.", processes, *files)
    for data in (b"test string", LARGE):
        assert ask(secure_geard, files, "their.reverse", data) == data[::-1]


def test_the_server_of_gear_016(secure_gear016: Server, files: Files) -> None:
    worker, thread = start_worker(secure_gear016, files)
    try:
        for data in (b"test string", LARGE):
            assert ask(secure_gear016, files, "reverse", data) == data[::-1]
    finally:
        worker.shutdown()
        thread.join()
