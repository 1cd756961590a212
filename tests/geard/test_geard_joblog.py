"""The log of jobs of geard, switched while it runs."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from support.geard_program import HOST, TIMEOUT, Geard, wait_until

Start = Callable[..., Geard]
LOGGER = "gear.Server.jobs"


class Crew:
    """A client and a worker of two functions."""

    def __init__(self, geard: Geard) -> None:
        self.client, self.worker = gear.Client("boss"), gear.Worker("hand")
        for peer in (self.client, self.worker):
            peer.addServer(HOST, geard.port)
            peer.waitForServer(TIMEOUT)
        for name in ("resize", "other"):
            self.worker.registerFunction(name)

    def work(self, function: str, unique: str | None = None) -> bytes:
        """Have a job done, and return its handle."""
        job = gear.Job(function, b"12345", unique=unique)
        self.client.submitJob(job)
        assigned = self.worker.getJob(TIMEOUT)
        assigned.sendWorkComplete(b"1234567")
        assert job.result(TIMEOUT) == b"1234567"
        assert assigned.handle is not None
        return assigned.handle

    def close(self) -> None:
        self.client.shutdown()
        self.worker.shutdown()


@pytest.fixture
def crew() -> Iterator[Callable[[Geard], Crew]]:
    crews: list[Crew] = []

    def make(geard: Geard) -> Crew:
        crews.append(Crew(geard))
        return crews[-1]

    yield make
    for one in crews:
        one.close()


def lines(log: str) -> list[dict[str, object]]:
    read = [json.loads(line) for line in log.splitlines()]
    return [line for line in read if line["logger"] == LOGGER]


def switch(geard: Geard, function: str, on: bool) -> None:
    with gear.AdminClient(HOST, geard.port) as admin:
        admin.jobLog(function, on)


def test_it_is_switched_for_a_function_while_the_server_runs(
    start: Start, crew: Callable[[Geard], Crew]
) -> None:
    geard = start("--log-format", "json", "--verbose", "ERROR")
    hands = crew(geard)
    hands.work("resize")
    switch(geard, "resize", on=True)
    handle = hands.work("resize", unique="u").decode()
    hands.work("other")
    switch(geard, "resize", on=False)
    hands.work("resize")
    submitted, assigned, ended = lines(geard.stop())
    for line in (submitted, assigned, ended):
        assert (line["handle"], line["function"], line["unique"]) == (handle, "resize", "u")
    assert [line["event"] for line in (submitted, assigned, ended)] == [
        "job.submitted", "job.assigned", "job.ended",
    ]  # fmt: skip
    assert isinstance(submitted["peer"], dict)
    assert submitted["peer"]["client_id"] == "boss"
    assert isinstance(assigned["worker"], dict)
    assert assigned["worker"]["client_id"] == "hand"
    assert (ended["outcome"], ended["bytes"], ended["result_bytes"]) == ("completed", 5, 7)
    for seconds in (ended["waited"], ended["ran"]):
        assert isinstance(seconds, float)
        assert 0 <= seconds < TIMEOUT


def test_it_is_on_from_the_start_for_what_an_option_names(
    start: Start, crew: Callable[[Geard], Crew]
) -> None:
    geard = start("--log-jobs", "nothing res*")
    hands = crew(geard)
    hands.work("other")
    handle = hands.work("resize").decode()
    log = [line for line in geard.stop().splitlines() if f" INFO {LOGGER}: " in line]
    assert [line.split(": ", 1)[1].split()[0] for line in log] == [
        "Submitted", "Assigned", "Ended",
    ]  # fmt: skip
    assert all(handle in line for line in log)


CONFIG = """
[loggers]
keys = root, jobs
[handlers]
keys = root, jobs
[formatters]
keys = json
[formatter_json]
class = gear_server.logformat.JsonFormatter
[logger_root]
level = NOTSET
handlers = root
[logger_jobs]
level = INFO
qualname = gear.Server.jobs
handlers = jobs
propagate = 0
[handler_root]
class = FileHandler
args = ({root!r},)
[handler_jobs]
class = FileHandler
formatter = json
args = ({jobs!r},)
"""


def test_it_may_have_a_file_of_its_own(
    start: Start, tmp_path: Path, crew: Callable[[Geard], Crew]
) -> None:
    config, root, jobs = (tmp_path / name for name in ("logging.ini", "root", "jobs"))
    config.write_text(CONFIG.format(root=str(root), jobs=str(jobs)))
    geard = start("--log-jobs", "*", "--log-config", str(config))
    crew(geard).work("resize")
    geard.signal(signal.SIGHUP)
    wait_until(lambda: "Reloaded" in root.read_text(), "it does not reload")
    crew(geard).work("other")
    geard.signal(signal.SIGINT)
    assert geard.process.wait(TIMEOUT) == 0, geard.errors
    assert [line["function"] for line in lines(jobs.read_text())] == ["resize"] * 3 + ["other"] * 3
    assert "Submitted" not in root.read_text()
