"""Clients and workers that are made before a process forks: preloading servers, multiprocessing."""

import contextlib
import http.client
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import pytest

import gear

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
HOST = "127.0.0.1"
WAIT = 30.0
APPLICATION = """
import os
import gear

client = gear.Client("preloaded")
client.addServer("127.0.0.1", PORT)
client.waitForServer(20)
before = gear.Job("reverse", b"daolerp")
client.submitJob(before)
assert before.result(20) == b"preload"


def application(environ, start_response):
    job = gear.Job("reverse", environ["PATH_INFO"].encode())
    client.submitJob(job)
    start_response("200 OK", [("Process", str(os.getpid()))])
    return [job.result(20)]
"""


@pytest.fixture
def server() -> Iterator[gear.Server]:
    server = gear.Server(0, host=HOST)
    yield server
    server.shutdown()


def worker_of(server: gear.Server) -> gear.Worker:
    worker = gear.Worker("forks")
    worker.registerFunction("reverse")
    worker.addServer(HOST, server.port)
    worker.waitForServer(WAIT)
    return worker


def work(worker: gear.Worker) -> None:
    """Reverse until the worker is shut down."""
    while True:
        try:
            job = worker.getJob()
        except gear.InterruptedError:
            return
        job.sendWorkComplete(bytes(reversed(job.arguments)))


@contextlib.contextmanager
def working(server: gear.Server) -> Iterator[gear.Worker]:
    with worker_of(server) as worker:
        thread = threading.Thread(target=work, args=(worker,))
        thread.start()
        yield worker
    thread.join()


class Unix(http.client.HTTPConnection):
    """HTTP over a socket of the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=WAIT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(WAIT)
        self.sock.connect(str(self._path))


def ask(path: Path, what: str) -> tuple[bytes, str]:
    """Return the answer, and the process that gave it."""
    with contextlib.closing(Unix(path)) as connection:
        connection.request("GET", what)
        response = connection.getresponse()
        return response.read(), response.headers["Process"]


def test_a_preloading_gunicorn(server: gear.Server, tmp_path: Path) -> None:
    (tmp_path / "preloaded.py").write_text(APPLICATION.replace("PORT", str(server.port)))
    path = tmp_path / "http"
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers=2", f"--bind=unix:{path}"]
    with working(server):
        process = subprocess.Popen(
            [*command, "--worker-tmp-dir=/dev/shm", "preloaded"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                assert process.stderr is not None
                lines = iter(process.stderr)
                started = 0
                log = ""
                while started < 2:
                    log += (line := next(lines))
                    started += "Booting worker" in line
                processes = set()
                for number in range(200):
                    answer, name = ask(path, f"/{number}")
                    assert answer == f"/{number}".encode()[::-1]
                    processes.add(name)
                    if len(processes) == 2 and number > 20:
                        break
                # The master has the connection that it had, and each that was asked has its own.
                names = [
                    each.client_id
                    for each in server.active_connections
                    if each.client_id == b"preloaded"
                ]
                assert len(names) == 1 + len(processes)
                process.send_signal(signal.SIGTERM)
                log += "".join(lines)
                assert process.wait(WAIT) == 0
                assert "Traceback" not in log, log
            finally:
                process.kill()
        assert server.waitFor(lambda: len(server.active_connections) == 1, WAIT)


def work_in_child(worker: gear.Worker, pipe: Pipe) -> None:
    """Do one job, and tell of it."""
    job = worker.getJob(WAIT)
    job.sendWorkComplete(b"child")
    pipe.send(job.arguments)
    worker.shutdown()


def test_a_worker_works_in_a_child_too(server: gear.Server) -> None:
    worker = worker_of(server)
    client = gear.Client("forks")
    client.addServer(HOST, server.port)
    client.waitForServer(WAIT)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    children = [context.Process(target=work_in_child, args=(worker, theirs)) for _ in range(2)]
    for child in children:
        child.start()
    jobs = [gear.Job("reverse", b"%d" % number) for number in range(2)]
    for job in jobs:
        client.submitJob(job)
    assert [job.result(WAIT) for job in jobs] == [b"child", b"child"]
    done = set()
    for child in children:
        assert ours.poll(WAIT)
        done.add(ours.recv())
        child.join(WAIT)
        assert child.exitcode == 0
    assert done == {b"0", b"1"}
    # The parent goes on over the connection that it had.
    job = gear.Job("reverse", b"parent")
    client.submitJob(job)
    assigned = worker.getJob(WAIT)
    assert assigned.arguments == b"parent"
    assigned.sendWorkComplete(b"done")
    assert job.result(WAIT) == b"done"
    for pipe in (ours, theirs):
        pipe.close()
    client.shutdown()
    worker.shutdown()


def report_in_child(job: gear.WorkerJob, pipe: Pipe) -> None:
    """Try to end a job that the parent has."""
    try:
        job.sendWorkComplete(b"child")
    except gear.GearmanError as error:
        pipe.send(repr(error))
    else:
        pipe.send("sent")


def test_a_job_of_the_parent_is_not_ended_by_a_child(server: gear.Server) -> None:
    with worker_of(server) as worker, gear.Client("forks") as client:
        client.addServer(HOST, server.port)
        client.waitForServer(WAIT)
        job = gear.Job("reverse", b"parent")
        client.submitJob(job)
        assigned = worker.getJob(WAIT)
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        child = context.Process(target=report_in_child, args=(assigned, theirs))
        child.start()
        assert ours.poll(WAIT)
        assert "Error" in ours.recv()
        child.join(WAIT)
        assigned.sendWorkComplete(b"done")
        assert job.result(WAIT) == b"done"
        for pipe in (ours, theirs):
            pipe.close()
