"""Peers that try what the access control list does not let them do."""

import copy
import gc
import logging
import weakref
from collections.abc import Callable

import pytest

from gear_server import ACL, ACLEntry
from gear_server.engine.chores import SLICE
from gear_server.engine.commands import text_rules
from gear_server.engine.rights import COMMANDS, PACKETS, Right
from gear_server.engine.rules import packet_rules
from gear_server.levels import NOTICE
from gear_wire.codec import encode
from gear_wire.enums import Magic, PacketType
from gear_wire.framing import HEADER, FrameReader
from gear_wire.packets import (
    CanDo,
    Error,
    GetStatus,
    GetStatusUnique,
    GrabJob,
    JobAssign,
    JobCreated,
    NoJob,
    Noop,
    PreSleep,
    StatusRes,
    StatusResUnique,
    SubmitJob,
    SubmitJobBg,
    WorkComplete,
)
from gear_wire.table import frame_key
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.engine_desk import Desk, Visitor

NAME = FunctionName(b"reverse")
UNIQUE = UniqueKey(b"u")
DENIED = b"ERR PERMISSION_DENIED\n"


def entries() -> list[ACLEntry]:
    return [
        ACLEntry("worker", register="reverse"),
        ACLEntry("client", invoke="reverse"),
        ACLEntry("admin", admin=True),
        ACLEntry("seer", see=True),
        ACLEntry("granter", grant=True),
    ]


LISTED = [entry.subject for entry in entries()]
SUBJECTS = [*LISTED, "stranger", None]
ALLOWED: dict[Right, set[str]] = {
    Right.ENTRY: set(LISTED),
    Right.REGISTER: {"worker"},
    Right.INVOKE: {"client"},
    Right.SEE: {"seer"},
    Right.CANCEL: {"client", "admin"},
    Right.ADMIN: {"admin"},
    Right.GRANT: {"granter"},
}
"""Which of them have a right."""
LINES = {
    b"show": b"show jobs",
    b"create": b"create function f",
    b"drop": b"drop function f",
    b"maxqueue": b"maxqueue f 3",
    b"jobtimeout": b"jobtimeout f 3",
    b"joblog": b"joblog f on",
    b"acl grant": b"acl grant see worker",
    b"acl revoke": b"acl revoke all worker",
    b"acl self-revoke": b"acl self-revoke see",
}
"""Lines that do something, for commands that need arguments."""


@pytest.fixture
def desk() -> Desk:
    acl = ACL()
    acl.setEntries(entries())
    return Desk(acl=acl)


def state(desk: Desk) -> str:
    """Return all that a command or packet could change."""
    engine = desk.engine
    assert engine.access is not None
    functions = {name: function.limits for name, function in engine.queues.functions.items()}
    return repr((functions, list(engine.jobs), engine.access.acl.getEntries()))


def submitted(desk: Desk) -> tuple[Visitor, Handle]:
    client = desk.visitor(SubmitJob(NAME, UNIQUE, b""), subject="client")
    (created,) = client.heard()
    assert isinstance(created, JobCreated)
    return client, created.handle


def test_every_command_and_packet_has_its_right() -> None:
    words = {line.split()[0] for line in COMMANDS}
    assert words == set(text_rules())
    handled = {number for number in PacketType if is_handled(number)}
    assert handled == set(PACKETS)


def is_handled(number: PacketType) -> bool:
    rules = packet_rules()
    not_expected = rules[frame_key(Magic.REQ, PacketType.NOOP)]
    return rules[frame_key(Magic.REQ, number)] is not not_expected


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_for_who_has_the_right(
    subject: str | None, command: bytes, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    _, handle = submitted(desk)
    line = b"cancel job " + handle if command == b"cancel" else LINES.get(command, command)
    right = COMMANDS[command]
    before = state(desk)
    answer = desk.visitor(subject=subject).ask(line.upper() if b" " not in line else line)
    if right is Right.NONE or subject in ALLOWED[right]:
        assert b"PERMISSION_DENIED" not in answer
        assert "Permission denied" not in caplog.text
    else:
        assert answer == DENIED
        assert state(desk) == before
        assert f"subject {subject!r}: may not" in caplog.text
        assert "host: 127.0.0.1 port: 1>" in caplog.text


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("number", PACKETS, ids=lambda number: number.name)
def test_a_packet_is_for_who_has_the_right(
    subject: str | None, number: PacketType, desk: Desk
) -> None:
    right = PACKETS[number]
    before = state(desk)
    visitor = desk.visitor(subject=subject)
    body = b"reverse\0u\0" + (b"0\0" if number is PacketType.SUBMIT_JOB_EPOCH else b"r\0\0")
    packet = HEADER.pack(frame_key(Magic.REQ, number), len(body)) + body
    desk.engine.receive(visitor.peer, FrameReader().feed(packet), desk.now)
    said = visitor.said()
    if right in ALLOWED:
        allowed = subject in ALLOWED[right]
        assert (b"PERMISSION_DENIED" in said) is not allowed
        assert (state(desk) == before) is not allowed
    else:
        assert b"PERMISSION_DENIED" not in said
        assert state(desk) == before


def test_a_worker_that_may_nothing_gets_no_job(desk: Desk) -> None:
    submitted(desk)
    worker = desk.visitor(CanDo(NAME), GrabJob(), subject="stranger")
    error, nothing = worker.heard()
    assert error == Error(b"PERMISSION_DENIED", b"Permission denied to register reverse")
    assert nothing == NoJob()
    assert not worker.peer.abilities


@pytest.mark.parametrize("submit", [SubmitJob, SubmitJobBg])
def test_a_job_is_not_there_for_who_may_not_see_it(
    submit: type[SubmitJob] | type[SubmitJobBg], desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    first = desk.visitor(submit(NAME, UNIQUE, b""), subject="client")
    (created,) = first.heard()
    assert isinstance(created, JobCreated)
    for subject in SUBJECTS:
        visitor = desk.visitor(subject=subject)
        visitor.send(GetStatus(created.handle), GetStatusUnique(UNIQUE))
        status, unique = visitor.heard()
        assert isinstance(status, StatusRes)
        assert isinstance(unique, StatusResUnique)
        # Another connection of the subject that has submitted it is as good.
        seen = b"1" if subject in ("client", "seer") else b"0"
        assert (status.known, unique.known) == (seen, seen)
    assert "subject 'worker': may not see <gear.ServerJob" in caplog.text


def test_who_joins_a_job_has_submitted_it_too(desk: Desk) -> None:
    acl = ACL()
    for subject in ("one", "two"):
        acl.grantInvoke(subject, "reverse")
    desk = Desk(acl=acl)
    first = desk.visitor(SubmitJobBg(NAME, UNIQUE, b""), subject="one")
    second = desk.visitor(SubmitJobBg(NAME, UNIQUE, b""), subject="two")
    desk.visitor(SubmitJobBg(NAME, UNIQUE, b""), subject="two")
    (job,) = desk.engine.jobs.values()
    assert job.subjects == ("one", "two")
    for visitor in (first, second):
        visitor.said()
        visitor.send(GetStatus(Handle(job.handle)))
        assert b"\x001\x000\x00" in visitor.said()


def test_refusals_cannot_fill_a_disk(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    strangers = [desk.visitor(subject="stranger") for _ in range(10)]
    for stranger in strangers * 20:
        stranger.ask(b"status")
        stranger.send(SubmitJobBg(NAME, UNIQUE, b""))
    refusals = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(refusals) == 10


def test_names_in_refusals_forge_no_line(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    stranger = desk.visitor(subject="evil\n2026-01-01 forged")
    stranger.send(SubmitJobBg(FunctionName(b"x\n2026-01-01 forged"), UNIQUE, b""))
    stranger.ask(b"status\x1b[2J")
    stranger.ask(b"status \x1b[2J")
    for record in caplog.records:
        assert record.getMessage().isprintable()


def the_list(desk: Desk) -> ACL:
    assert desk.engine.access is not None
    return desk.engine.access.acl


@pytest.mark.parametrize("asks_first", [True, False], ids=["it asks first", "it asks later"])
def test_a_worker_gets_no_job_once_its_right_is_revoked(asks_first: bool, desk: Desk) -> None:
    worker = desk.visitor(CanDo(NAME), subject="worker")
    granter = desk.visitor(subject="granter")
    if asks_first:
        worker.say(GrabJob())
    desk.engine.text(granter.peer, b"acl revoke register worker", desk.now)
    if not asks_first:
        worker.say(GrabJob())
    submitted(desk)
    assert worker.heard() == [NoJob()]
    assert not worker.peer.abilities
    assert desk.engine.queues.functions[NAME].workers == 0
    assert len(desk.engine.jobs) == 1


def test_a_worker_that_sends_a_lot_at_once_gets_no_job_either(desk: Desk) -> None:
    """The right is looked at when a job is given out, though the turn has not ended."""
    submitted(desk)
    worker = desk.visitor(CanDo(NAME), subject="worker")
    data = b"acl self-revoke register\n" + encode(GrabJob()) + encode(GrabJob())
    desk.engine.receive(worker.peer, FrameReader().feed(data), desk.now)
    desk.end_turn()
    assert worker.said() == b"OK\n" + 2 * encode(NoJob(), Magic.RES)


def test_a_list_that_is_changed_by_hand_counts_when_a_job_is_given_out(desk: Desk) -> None:
    submitted(desk)
    worker = desk.visitor(CanDo(NAME), subject="worker")
    del the_list(desk).subjects["worker"]
    worker.send(GrabJob())
    assert worker.heard() == [NoJob()]


def test_other_functions_of_a_worker_go_on(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    acl = the_list(desk)
    acl.grantRegister("worker", "reverse|other")
    acl.grantInvoke("client", "reverse|other")
    client, _ = submitted(desk)
    client.send(SubmitJob(FunctionName(b"other"), UniqueKey(b"v"), b""))
    worker = desk.visitor(CanDo(NAME), CanDo(FunctionName(b"other")), subject="worker")
    acl.grantRegister("worker", "other")
    worker.send(GrabJob(), GrabJob())
    assigned, nothing = worker.heard()
    assert isinstance(assigned, JobAssign)
    assert assigned.function == b"other"
    assert nothing == NoJob()
    assert list(worker.peer.abilities) == [b"other"]
    assert "Unregistered b'reverse', which <gear.Peer" in caplog.text
    assert "subject 'worker', may no longer register" in caplog.text


def test_what_is_running_or_queued_stays(desk: Desk) -> None:
    client, handle = submitted(desk)
    client.send(SubmitJob(NAME, UniqueKey(b"v"), b""))
    worker = desk.visitor(CanDo(NAME), GrabJob(), subject="worker")
    the_list(desk).remove("worker")
    the_list(desk).remove("client")
    client.said()
    worker.send(WorkComplete(handle, b"done"))
    assert client.heard() == [WorkComplete(handle, b"done")]
    assert len(desk.engine.jobs) == 1
    client.send(SubmitJob(NAME, UNIQUE, b""))
    (error,) = client.heard()
    assert isinstance(error, Error)


def test_a_sleeper_without_the_right_is_not_given_what_others_may_do(desk: Desk) -> None:
    the_list(desk).grantRegister("other", "reverse")
    revoked = desk.visitor(CanDo(NAME), PreSleep(), subject="worker")
    other = desk.visitor(CanDo(NAME), PreSleep(), subject="other")
    the_list(desk).revokeRegister("worker")
    submitted(desk)
    assert revoked.heard() == []
    assert other.heard() == [Noop()]


@pytest.mark.parametrize(
    "change",
    [
        lambda acl: acl.remove("worker"),
        lambda acl: acl.revokeRegister("worker"),
        lambda acl: acl.grantRegister("worker", "other"),
        lambda acl: acl.setEntries([]),
        lambda acl: acl.subjects["worker"].setRegister("other"),
    ],
)
def test_every_change_of_the_list_is_followed(change: Callable[[ACL], None], desk: Desk) -> None:
    worker = desk.visitor(CanDo(NAME), subject="worker")
    acl = the_list(desk)
    watcher = Watcher(acl)
    change(acl)
    assert watcher.called
    desk.end_turn()
    assert not worker.peer.abilities


class Watcher:
    """Counts the changes of a list."""

    def __init__(self, acl: ACL) -> None:
        self.called = 0
        acl.watch(self.note)

    def note(self) -> None:
        self.called += 1


def test_a_list_does_not_keep_those_alive_that_watch_it() -> None:
    acl = ACL()
    watcher = weakref.ref(Watcher(acl))
    acl.grantSee("x")
    gc.collect()
    assert watcher() is None
    kept = Watcher(acl)
    copied = copy.deepcopy(acl)
    copied.grantRegister("x", "f")
    assert not kept.called
    assert not acl.canRegister("x", "f")


def test_a_review_takes_as_many_turns_as_it_needs(desk: Desk) -> None:
    acl = the_list(desk)
    acl.grantRegister("worker", ".*")
    names = [FunctionName(b"f%d" % number) for number in range(3 * SLICE)]
    worker = desk.visitor(*map(CanDo, names), subject="worker")
    acl.revokeRegister("worker")
    desk.engine.end_turn(desk.now)
    assert len(worker.peer.abilities) >= SLICE
    acl.grantRegister("worker", "f1")  # begins the review again
    turns = 0
    while desk.engine.deferred:
        desk.engine.end_turn(desk.now)
        turns += 1
    assert turns >= 1
    assert set(worker.peer.abilities) <= {b"f1"}


@pytest.mark.parametrize(
    ("subject", "line"),
    [
        ("granter", b"acl grant invoke web build-.*"),
        ("granter", b"acl revoke all worker"),
        ("seer", b"acl self-revoke see"),
        ("admin", b"create function f"),
        ("admin", b"maxqueue f 3"),
    ],
)
def test_changes_are_logged_with_subject_and_address(
    subject: str, line: bytes, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(NOTICE)
    assert desk.visitor(subject=subject).ask(line).startswith(b"OK")
    (record,) = caplog.records
    assert f"host: 127.0.0.1 port: 1>, subject {subject!r}: {line!r}" in record.getMessage()
    assert record.levelno == NOTICE


def test_a_job_that_an_administrator_cancels_is_logged(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(NOTICE)
    client, handle = submitted(desk)
    assert desk.visitor(subject="admin").ask(b"cancel job " + handle) == b"OK\r\n"
    assert "subject 'admin', cancels <gear.ServerJob" in caplog.text
    _, handle = submitted(desk)
    caplog.clear()
    assert client.said()
    assert client.ask(b"cancel job " + handle).startswith(b"OK")
    assert not caplog.records
