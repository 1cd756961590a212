"""Clients, workers and servers that are killed outright: nothing hangs, no job is forgotten."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gear
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.packets import BasePacket, CanDo, GrabJob, SubmitJob
from gear_wire.types import FunctionName, UniqueKey
from support.geard_program import HOST, TIMEOUT, Geard

F = FunctionName(b"f")
JOBS = 5_000
# Says so when the server has answered what it sent, and goes on living.
VICTIM = """\
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(sys.stdin.buffer.read())
answer = b""
while answer.count(b"\\0RES") < int(sys.argv[2]):
    answer += sock.recv(65536)
print("answered", flush=True)
sock.recv(1)
"""


@contextmanager
def victim(port: int, answers: int, *packets: BasePacket) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that has sent packets and received answers, and kill it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(port), str(answers)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    with process:
        process.stdin.write(b"".join(encode(packet, Magic.REQ) for packet in packets))
        process.stdin.close()
        assert process.stdout.readline() == b"answered\n"
        yield process
        os.kill(process.pid, signal.SIGKILL)


def test_the_job_of_a_killed_worker_goes_to_another(tmp_path: Path) -> None:
    with Geard(tmp_path) as geard, gear.Client() as client, gear.Worker("other") as worker:
        client.addServer(HOST, geard.port)
        client.waitForServer(TIMEOUT)
        job = gear.Job("f", b"data")
        client.submitJob(job)
        with victim(geard.port, 1, CanDo(F), GrabJob()):
            (status,) = geard.status()
            assert (status.total, status.running) == (1, 1)
            worker.addServer(HOST, geard.port)
            worker.registerFunction("f")
        with worker.getJob() as assigned:
            assigned.sendWorkComplete(b"done")
        assert job.result(TIMEOUT) == b"done"


def test_the_jobs_of_a_killed_client_are_gone(tmp_path: Path) -> None:
    with Geard(tmp_path) as geard:
        with victim(geard.port, JOBS, *[SubmitJob(F, UniqueKey(b""), b"data")] * JOBS):
            (status,) = geard.status()
            assert status.total == JOBS
        geard.wait_until_idle()
        assert geard.ask("version").startswith("OK")


def test_a_killed_server_fails_its_jobs_and_is_found_again(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with gear.Client() as client, gear.Worker("worker") as worker:
        with Geard(first) as geard:
            port = geard.port
            for either in (client, worker):
                either.addServer(HOST, port)
                either.waitForServer(TIMEOUT)
            worker.registerFunction("f")
            lost = gear.Job("f", b"lost")
            client.submitJob(lost)
            assert worker.getJob().arguments == b"lost"
            geard.signal(signal.SIGKILL)
            assert lost.wait(TIMEOUT)
            assert lost.failure
        with Geard(second, "-p", str(port)):
            client.waitForServer(TIMEOUT)
            job = gear.Job("f", b"data")
            client.submitJob(job)
            with worker.getJob() as assigned:
                assigned.sendWorkComplete(assigned.arguments)
            assert job.result(TIMEOUT) == b"data"
