"""The workers of the how-tos stop as they say: a signal comes, and what runs is finished."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from support.programs import Programs, programs

WAIT = 30.0
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PROGRAM = re.compile(r"```\{code-block\} python\n:caption: worker\.py\n\n(.*?)```", re.DOTALL)
REPORT = re.compile(r"^( +)(?=job\.sendWorkComplete|await job\.complete)", re.MULTILINE)
SLEEP = {"threads.md": "time.sleep(1)", "asyncio.md": "await asyncio.sleep(1)"}
PLACES = 4


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Programs]:
    with programs(tmp_path) as running:
        yield running


@pytest.fixture
def server() -> Iterator[gear.Server]:
    """One that fails a job whose worker is lost."""
    server = gear.Server(0, host="127.0.0.1")
    yield server
    server.shutdown()


def slow_program(page: str, port: int) -> str:
    """Return the program of a page, with jobs that take a second."""
    printed = PROGRAM.search((HOW_TO / page).read_text())
    assert printed is not None
    source = printed.group(1).replace('"localhost"', f'"127.0.0.1", {port}')
    slow, number = REPORT.subn(rf"\1{SLEEP[page]}\n\1", source)
    assert number == 1
    return slow


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("page", SLEEP)
def test_what_runs_is_finished(
    page: str, number: signal.Signals, process: Programs, server: gear.Server
) -> None:
    with gear.Client("client") as client:
        client.addServer("127.0.0.1", server.port)
        client.waitForServer(WAIT)
        worker = process.start_python(slow_program(page, server.port))
        jobs = [gear.Job("square", str(each)) for each in range(PLACES + 1)]
        for job in jobs:
            client.submitJob(job)
        assert server.waitFor(lambda: server.running_jobs == PLACES, WAIT)
        worker.send_signal(number)
        results = [job.result(WAIT) for job in jobs[:PLACES]]
        assert results == [b"%d" % each**2 for each in range(PLACES)]
        _, complaints = worker.communicate(timeout=WAIT)
        assert (worker.returncode, complaints) == (0, "")
        # The last job waits, or was taken before Python noticed the signal; it was not lost.
        assert not jobs[PLACES].failure
        assert server.running_jobs == 0
