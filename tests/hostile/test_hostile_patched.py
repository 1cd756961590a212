"""A server, a client and a worker in a process whose threads gevent or eventlet have replaced."""

import subprocess
import sys

import pytest

TIMEOUT = 60.0
PATCH = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
    "eventlet, not threads": "import eventlet; eventlet.monkey_patch(thread=False)",
}
WORKS = """
import gear
for _ in range(2):
    with gear.Server(0, host="127.0.0.1") as server:
        client, worker = gear.Client(), gear.Worker("w")
        worker.registerFunction("reverse")
        for end in (client, worker):
            end.addServer("127.0.0.1", server.port)
            end.waitForServer(20)
        job = gear.Job("reverse", b"abc")
        client.submitJob(job)
        assigned = worker.getJob(20)
        assigned.sendWorkComplete(assigned.arguments[::-1])
        assert job.result(20) == b"cba"
        client.shutdown()
        worker.shutdown()
print("done")
"""
SECOND = """
import gear
with gear.Server(0, host="127.0.0.1") as server:
    try:
        gear.Server(0, host="127.0.0.1")
    except gear.ConfigurationError as error:
        print(error)
"""


def run(patch: str, code: str) -> str:
    """Return what a program prints after monkey patching."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{PATCH[patch]}\n{code}"],
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("patch", PATCH)
def test_a_job_is_done_after_monkey_patching(patch: str) -> None:
    assert run(patch, WORKS) == "done\n"


@pytest.mark.parametrize("patch", ["gevent", "eventlet"])
def test_a_second_server_at_a_time_is_refused_with_the_reason(patch: str) -> None:
    assert run(patch, SECOND).startswith("an event loop is already running")
