"""The log of jobs: which functions have one, and what it says."""

import json
import logging
from collections.abc import Callable, Iterator

import pytest

from gear_server.engine.acl import ACL
from gear_server.engine.chores import SLICE
from gear_server.engine.joblog import LOGGER, MOST_PATTERNS, JobLog
from gear_server.engine.queues import IDLE_FUNCTIONS
from gear_server.logformat import JsonFormatter
from gear_server.settings import ServerSettings
from gear_wire import packets as wire
from gear_wire.types import ClientID, FunctionName, Handle, UniqueKey
from support.engine_desk import Desk, Visitor

F, G = FunctionName(b"f"), FunctionName(b"g")
NO_KEY, KEY = UniqueKey(b""), UniqueKey(b"key")
COMMON = {"time", "level", "logger", "event", "message", "handle", "function", "unique", "attempt"}
ALL = ServerSettings(
    log_jobs="*", job_retries=2, cancel_running=True, tell_cancelled=True, tell_abandoned=True
)


class Records(logging.Handler):
    """Keeps the log of jobs as the objects that it is in JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, object]] = []
        self._json = JsonFormatter()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self._json.format(record)))

    def taken(self) -> list[dict[str, object]]:
        """Return the lines since the last time."""
        lines, self.lines = self.lines, []
        return lines

    def events(self) -> list[object]:
        """Return the names of the events since the last time."""
        return [line["event"] for line in self.taken()]

    def outcome(self) -> object:
        """Return how the one job has ended of which there is a line."""
        (outcome,) = [line["outcome"] for line in self.taken() if line["event"] == "job.ended"]
        return outcome


@pytest.fixture
def log() -> Iterator[Records]:
    records = Records()
    logger = logging.getLogger(LOGGER)
    level = logger.level
    logger.setLevel(logging.NOTSET)
    logger.addHandler(records)
    yield records
    logger.removeHandler(records)
    logger.setLevel(level)


def own(line: dict[str, object]) -> dict[str, object]:
    """Return the fields that only this event has."""
    return {name: value for name, value in line.items() if name not in COMMON}


def take(worker: Visitor) -> Handle:
    """Have a worker ask for a job, which it gets."""
    worker.send(wire.GrabJobUniq())
    (job,) = worker.heard()
    assert isinstance(job, wire.JobAssignUnique)
    return job.handle


def peer(client_id: str = "-") -> dict[str, object]:
    return {"address": "127.0.0.1", "port": 1, "client_id": client_id, "subject": None}


# What it says


def test_a_jobs_life_has_three_lines(log: Records) -> None:
    desk = Desk(ALL)
    client = desk.visitor(wire.SubmitJobHigh(F, KEY, b"12345"))
    desk.wait(1.5)
    worker = desk.visitor(wire.SetClientID(ClientID(b"me")), wire.CanDo(F))
    handle = take(worker)
    desk.wait(0.25)
    worker.send(wire.WorkComplete(handle, b"1234567"))
    submitted, assigned, ended = log.taken()
    for line in (submitted, assigned, ended):
        assert line["logger"] == "gear.Server.jobs"
        assert line["level"] == "INFO"
        assert (line["handle"], line["function"]) == (handle.decode(), "f")
        assert (line["unique"], line["attempt"]) == ("key", 1)
    assert submitted["event"] == "job.submitted"
    assert own(submitted) == {
        "precedence": "high", "background": False, "bytes": 5, "peer": peer(),
    }  # fmt: skip
    assert assigned["event"] == "job.assigned"
    assert own(assigned) == {"waited": pytest.approx(1.5), "worker": peer("me")}
    assert ended["event"] == "job.ended"
    assert own(ended) == {
        "outcome": "completed", "precedence": "high", "background": False, "bytes": 5,
        "result_bytes": 7, "waited": pytest.approx(1.5), "ran": pytest.approx(0.25),
        "peer": peer(), "worker": peer("me"),
    }  # fmt: skip
    client.leave()


def test_a_submission_that_joins_a_job_has_a_line(log: Records) -> None:
    desk = Desk(ALL)
    desk.visitor(wire.SubmitJob(F, KEY, b"")).send(wire.SubmitJobBg(F, KEY, b""))
    submitted, joined = log.taken()
    assert joined["event"] == "job.joined"
    assert joined["handle"] == submitted["handle"]
    assert own(joined) == {"background": True, "peer": peer()}


def test_an_end_says_how(log: Records) -> None:
    desk = Desk(ALL)
    worker = desk.visitor(wire.CanDo(F))
    client = desk.visitor()
    ends: dict[str, Callable[[Handle], wire.BasePacket]] = {
        "completed": lambda handle: wire.WorkComplete(handle, b""),
        "failed": wire.WorkFail,
        "exception": lambda handle: wire.WorkException(handle, b"why"),
    }
    for outcome, packet in ends.items():
        client.send(wire.SubmitJob(F, NO_KEY, b""))
        worker.send(packet(take(worker)))
        assert log.outcome() == outcome


def test_a_job_that_nobody_waits_for_is_abandoned(log: Records) -> None:
    desk = Desk(ALL)
    client = desk.visitor(wire.SubmitJob(F, NO_KEY, b""))
    desk.now += 3.0
    client.leave()
    _, ended = log.taken()
    assert (ended["outcome"], ended["ran"], ended["worker"]) == ("abandoned", 0.0, None)
    assert ended["waited"] == pytest.approx(3.0)


def test_a_job_without_attempts_left_is_exhausted(log: Records) -> None:
    desk = Desk(ALL)
    desk.visitor(wire.SubmitJobBg(F, NO_KEY, b""))
    for _ in range(2):
        worker = desk.visitor(wire.CanDo(F))
        take(worker)
        worker.leave()
    lines = log.taken()
    assert [line["event"] for line in lines] == [
        "job.submitted", "job.assigned", "job.assigned", "job.ended",
    ]  # fmt: skip
    assert [line["attempt"] for line in lines[:3]] == [1, 1, 2]
    assert lines[-1]["outcome"] == "exhausted"


@pytest.mark.parametrize("running", [False, True])
def test_a_cancelled_job_ends_once(log: Records, running: bool) -> None:
    desk = Desk(ALL)
    client, worker = desk.visitor(), desk.visitor(wire.CanDo(F))
    client.send(wire.SubmitJobBg(F, NO_KEY, b""))
    (created,) = client.heard()
    assert isinstance(created, wire.JobCreated)
    if running:
        take(worker)
    assert client.ask(b"cancel job %b\n" % created.handle) == b"OK\r\n"
    ended = log.taken()[-1]
    assert (ended["event"], ended["outcome"], ended["background"]) == (
        "job.ended", "cancelled", True,
    )  # fmt: skip
    if running:
        client.ask(b"cancel job %b\n" % created.handle)
        worker.send(wire.WorkComplete(created.handle, b""))
    assert log.taken() == []
    assert not desk.engine.jobs


def test_a_job_that_runs_when_the_server_stops_is_stopped(log: Records) -> None:
    desk = Desk(ALL)
    desk.visitor(wire.SubmitJobBg(F, NO_KEY, b""))
    take(desk.visitor(wire.CanDo(F)))
    desk.engine.stop()
    assert log.outcome() == "stopped"


def test_names_that_are_no_text_are_escaped(log: Records) -> None:
    desk = Desk(ALL)
    desk.visitor(wire.SubmitJobBg(FunctionName(b"\xff"), UniqueKey(b"\n"), b""))
    (line,) = log.taken()
    assert (line["function"], line["unique"]) == ("\\xff", "\\n")


# Which functions have one


def test_it_is_off_unless_it_is_asked_for(log: Records) -> None:
    desk = Desk()
    desk.visitor(wire.SubmitJobBg(F, NO_KEY, b""))
    take(desk.visitor(wire.CanDo(F)))
    assert log.taken() == []


def test_a_command_switches_it_for_one_function(log: Records) -> None:
    desk = Desk()
    client = desk.visitor(wire.SubmitJobBg(F, NO_KEY, b""))
    client.said()
    worker = desk.visitor(wire.CanDo(F), wire.CanDo(G))
    assert client.ask(b"joblog f on\n") == b"OK\r\n"
    handle = take(worker)
    client.send(wire.SubmitJobBg(G, NO_KEY, b""))
    client.said()
    assert log.events() == ["job.assigned"]
    assert client.ask(b"JOBLOG f OFF\n") == b"OK\r\n"
    worker.send(wire.WorkComplete(handle, b""))
    client.send(wire.SubmitJobBg(F, NO_KEY, b""))
    assert log.events() == []


def test_a_function_may_be_switched_before_it_is_known(log: Records) -> None:
    desk = Desk()
    client = desk.visitor()
    client.ask(b"joblog f on\n")
    assert not desk.engine.queues.functions
    client.send(wire.SubmitJobBg(F, NO_KEY, b""))
    assert log.events() == ["job.submitted"]


def test_a_function_that_was_forgotten_is_still_logged(log: Records) -> None:
    desk = Desk(ServerSettings(log_jobs="f"))
    worker = desk.visitor(wire.CanDo(F), wire.CantDo(F))
    for number in range(IDLE_FUNCTIONS):
        name = FunctionName(b"other-%d" % number)
        worker.send(wire.CanDo(name), wire.CantDo(name))
    assert b"f" not in desk.engine.queues.functions
    worker.send(wire.SubmitJobBg(F, NO_KEY, b""))
    assert log.events() == ["job.submitted"]


def test_many_functions_are_switched_in_slices(log: Records) -> None:
    desk = Desk()
    names = [FunctionName(b"image-%d" % number) for number in range(5 * SLICE)]
    client = desk.visitor(*(wire.SubmitJobBg(name, NO_KEY, b"") for name in (*names, F)))
    desk.engine.text(client.peer, b"joblog image-* on\n", desk.now)
    functions = desk.engine.queues.functions.values()
    assert sum(function.logged for function in functions) == SLICE
    for _ in range(5):
        desk.end_turn()
    assert sum(function.logged for function in functions) == len(names)
    assert not desk.engine.queues.functions[b"f"].logged


@pytest.mark.parametrize(
    ("switches", "logged"),
    [
        ("", ""),
        ("+a", "a"),
        ("+*", "a ab b"),
        ("+a*", "a ab"),
        ("+* -ab", "a b"),
        ("+* -a* +ab", "ab b"),
        ("-ab +*", "a ab b"),
        ("+ab -a* +b", "b"),
        ("+a* +* -*", ""),
    ],
)
def test_the_last_switch_that_matches_counts(log: Records, switches: str, logged: str) -> None:
    joblog = JobLog()
    for switch in switches.split():
        joblog.switch(switch[1:].encode(), switch[0] == "+")
    assert [name for name in ("a", "ab", "b") if joblog.logs(name.encode())] == logged.split()


def test_what_is_switched_to_and_fro_leaves_nothing(log: Records) -> None:
    desk = Desk()
    client = desk.visitor()
    for number in range(2 * MOST_PATTERNS):
        for switch in (b"on", b"off"):
            assert client.ask(b"joblog f-%d %b\n" % (number, switch)) == b"OK\r\n"
    for number in range(MOST_PATTERNS):
        assert client.ask(b"joblog f-%d on\n" % number) == b"OK\r\n"
    assert client.ask(b"joblog more on\n") == (
        b"ERR TOO_MANY_PATTERNS Too+many+patterns+are+switched;+joblog+*+off+forgets+them\r\n"
    )
    assert client.ask(b"joblog f-1 on\n") == b"OK\r\n"
    assert client.ask(b"joblog * off\n") == b"OK\r\n"
    assert client.ask(b"joblog more on\n") == b"OK\r\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (b"", b"INVALID_ARGUMENTS"),
        (b" f", b"INVALID_ARGUMENTS"),
        (b" f on now", b"INVALID_ARGUMENTS"),
        (b" f yes", b"INVALID_ARGUMENTS"),
        (b" " + b"f" * 513 + b" on", b"ARGUMENT_TOO_LARGE"),
    ],
)
def test_what_is_wrong_is_said(words: bytes, error: bytes) -> None:
    desk = Desk()
    assert desk.visitor().ask(b"joblog%b\n" % words).startswith(b"ERR %b " % error)


def test_it_needs_the_right_to_change_things(log: Records) -> None:
    acl = ACL()
    acl.grantAdmin("operator")
    acl.grantSee("monitor")
    desk = Desk(acl=acl)
    command = b"joblog f on\n"
    assert desk.visitor(subject="monitor").ask(command) == b"ERR PERMISSION_DENIED\n"
    assert desk.visitor(subject="operator").ask(command) == b"OK\r\n"


# How it is let through


def test_its_level_is_its_own(log: Records, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    desk = Desk(ALL)
    desk.visitor(wire.SubmitJobBg(F, NO_KEY, b""))
    assert log.events() == ["job.submitted"]


def test_a_level_that_was_set_stays(log: Records) -> None:
    logging.getLogger(LOGGER).setLevel(logging.CRITICAL)
    desk = Desk(ALL)
    desk.visitor(wire.SubmitJobBg(F, NO_KEY, b""))
    assert log.events() == []
