"""Access control by the subjects of certificates, with the text commands that change it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from support.certificates import Authority, Files
from support.faces import connected, reverse

HOST = "127.0.0.1"
ADMIN, WORKER, CLIENT, STRANGER = "admin", "worker", "client", "stranger"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Files]:
    authority = Authority(tmp_path / "authority")
    subjects = (ADMIN, WORKER, CLIENT, STRANGER)
    return {subject: authority.issue(HOST, common_name=subject) for subject in subjects}


@pytest.fixture
def acl() -> gear.ACL:
    acl = gear.ACL()
    acl.add(gear.ACLEntry(ADMIN, grant=True))
    acl.add(gear.ACLEntry(WORKER, register="re.*"))
    acl.add(gear.ACLEntry(CLIENT, invoke="reverse|resize"))
    return acl


@pytest.fixture
def server(files: dict[str, Files], acl: gear.ACL) -> Iterator[gear.Server]:
    server = gear.Server(0, *files[ADMIN], acl=acl, host=HOST)
    yield server
    server.shutdown()


class Command(gear.AdminRequest):
    """A text command of the access control list, which is all in its arguments."""

    command = b"acl"


class Table(Command):
    """One with a reply of several lines."""

    command = b"acl list"


class Terminal:
    """A connection of one subject, over which commands are typed."""

    def __init__(self, server: gear.Server, files: Files) -> None:
        self.connection = gear.Connection(HOST, server.port, *files)
        self.connection.connect()

    def type(self, *words: str) -> str:
        request = Table() if words == ("list",) else Command(*words)
        self.connection.sendAdminRequest(request, 20)
        assert request.response is not None
        return request.response.decode()


@pytest.fixture
def terminals(server: gear.Server, files: dict[str, Files]) -> Iterator[dict[str, Terminal]]:
    terminals = {subject: Terminal(server, paths) for subject, paths in files.items()}
    yield terminals
    for terminal in terminals.values():
        terminal.connection.disconnect()


@pytest.mark.parametrize("kind", ["threads", "asyncio"])
def test_who_may_gets_work_done_and_who_may_not_hears_so(
    kind: str, server: gear.Server, files: dict[str, Files]
) -> None:
    address = [(HOST, server.port)]
    with (
        connected(kind, address, files[WORKER]) as working,
        connected(kind, address, files[CLIENT]) as asking,
        connected(kind, address, files[STRANGER]) as stranger,
    ):
        working.serve("reverse", reverse)
        assert asking.submit("reverse", b"ab").result() == b"ba"
        for face, function in ((asking, "other"), (stranger, "reverse"), (working, "reverse")):
            with pytest.raises(gear.ServerError, match="PERMISSION_DENIED.*invoke " + function):
                face.submit(function, b"")
        assert server.total_jobs == 0


def test_a_worker_that_may_not_register_is_told_and_goes_on(
    server: gear.Server, files: dict[str, Files]
) -> None:
    told: list[bytes] = []
    heard = threading.Event()

    class Listening(gear.Worker):
        def handleError(self, packet: gear.Packet) -> object:
            told.append(packet.data)
            heard.set()
            return super().handleError(packet)

    worker = Listening("listening")
    worker.addServer(HOST, server.port, *files[WORKER])
    worker.waitForServer(20)
    worker.registerFunction("other")
    worker.registerFunction("reverse")
    assert heard.wait(20)
    assert told[0].startswith(b"PERMISSION_DENIED\0")
    assert told[0].endswith(b"register other")
    worker.getConnection().echo(b"x", 20)
    assert server.functions == {b"reverse"}
    worker.shutdown()


def test_the_list_is_shown_to_who_may_grant(terminals: dict[str, Terminal]) -> None:
    assert terminals[ADMIN].type("list") == (
        "admin\tregister=None\tinvoke=None\tgrant=True\tadmin=False\tsee=False\n"
        "client\tregister=None\tinvoke=reverse|resize\tgrant=False\tadmin=False\tsee=False\n"
        "worker\tregister=re.*\tinvoke=None\tgrant=False\tadmin=False\tsee=False\n"
        ".\n"
    )


@pytest.mark.parametrize(
    "words",
    [("list",), ("grant", "invoke", STRANGER, ".*"), ("revoke", "all", CLIENT)],
    ids=" ".join,
)
@pytest.mark.parametrize("subject", [WORKER, STRANGER])
def test_who_may_not_grant_is_refused(
    subject: str, words: tuple[str, ...], terminals: dict[str, Terminal], acl: gear.ACL
) -> None:
    before = repr(acl.getEntries())
    assert terminals[subject].type(*words) == "ERR PERMISSION_DENIED\n"
    assert repr(acl.getEntries()) == before


def test_to_look_needs_a_right(server: gear.Server, terminals: dict[str, Terminal]) -> None:
    version = gear.VersionAdminRequest()
    terminals[STRANGER].connection.sendAdminRequest(version, 20)
    assert (version.response or b"").startswith(b"OK ")
    requests = (gear.StatusAdminRequest(), gear.WorkersAdminRequest())
    for request in requests:
        terminals[STRANGER].connection.sendAdminRequest(request, 20)
        assert request.response == b"ERR PERMISSION_DENIED\n"
    assert terminals[ADMIN].type("grant", "see", STRANGER) == "OK\n"
    for request in requests:
        terminals[STRANGER].connection.sendAdminRequest(request, 20)
        assert (request.response or b"").endswith(b".\n")


def test_patterns_match_whole_names(acl: gear.ACL) -> None:
    assert acl.canInvoke(CLIENT, b"resize")
    assert not acl.canInvoke(CLIENT, b"reverse-everything")
    acl.grantInvoke(CLIENT, "reverse.*|resize.*")
    assert acl.canInvoke(CLIENT, b"reverse-everything")


def test_rights_are_granted_and_revoked(terminals: dict[str, Terminal], acl: gear.ACL) -> None:
    admin, stranger = terminals[ADMIN], terminals[STRANGER]
    assert admin.type("grant", "register", STRANGER, "a.*") == "OK\n"
    assert acl.canRegister(STRANGER, b"abc")
    assert not acl.canRegister(STRANGER, "bc")
    assert admin.type("grant", "invoke", STRANGER, "b.*") == "OK\n"
    assert acl.canInvoke(STRANGER, b"bc")
    assert admin.type("grant", "grant", STRANGER) == "OK\n"
    assert stranger.type("revoke", "invoke", STRANGER) == "OK\n"
    assert not acl.canInvoke(STRANGER, b"bc")
    assert stranger.type("self-revoke", "grant") == "OK\n"
    assert stranger.type("list") == "ERR PERMISSION_DENIED\n"
    assert stranger.type("self-revoke", "register") == "OK\n"
    assert STRANGER not in acl.subjects
    for right, may in (("admin", acl.canAdmin), ("see", acl.canSee)):
        assert admin.type("grant", right, STRANGER) == "OK\n"
        assert may(STRANGER)
        assert admin.type("revoke", right, STRANGER) == "OK\n"
        assert not may(STRANGER)
    assert admin.type("revoke", "all", WORKER) == "OK\n"
    assert not acl.canRegister(WORKER, b"reverse")


class Dispatching(gear.Server):
    """A server that dispatches text commands itself, as 0.16's did."""

    def handleAdminRequest(self, request: gear.ServerAdminRequest) -> None:
        if request.command.startswith(b"acl grant"):
            self.handleACLGrant(request)
        elif request.command.startswith(b"acl list"):
            self.handleACLList(request)
        else:
            self.handleStatus(request)


def test_handlers_that_a_program_calls_look_at_rights_too(
    files: dict[str, Files], acl: gear.ACL
) -> None:
    with Dispatching(0, *files[ADMIN], acl=acl, host=HOST) as server:
        terminals = [Terminal(server, files[subject]) for subject in (STRANGER, ADMIN)]
        for terminal in terminals:
            request = gear.StatusAdminRequest()
            terminal.connection.sendAdminRequest(request, 20)
            assert request.response == b"ERR PERMISSION_DENIED\n"
        grant = ("grant", "see", ADMIN)
        assert [terminal.type(*grant) for terminal in terminals] == [
            "ERR PERMISSION_DENIED\n", "OK\n",
        ]  # fmt: skip
        assert terminals[0].type("list") == "ERR PERMISSION_DENIED\n"
        for terminal in terminals:
            terminal.connection.disconnect()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("nonsense",), "ERR UNKNOWN_ACL_VERB\n"),
        (("grant",), "ERR UNKNOWN_ACL_VERB\n"),
        (("grant", "nonsense", CLIENT), "ERR UNKNOWN_ACL_VERB\n"),
        (("grant", "invoke", CLIENT), "ERR UNKNOWN_ACL_VERB\n"),
        (("grant", "invoke", CLIENT, "("), "ERR UNABLE "),
        (("revoke", "all", STRANGER), "ERR UNABLE "),
        (("revoke",), "ERR UNKNOWN_ACL_VERB\n"),
        (("self-revoke", "nonsense"), "ERR UNKNOWN_ACL_VERB\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_commands_that_make_no_sense_change_nothing(
    words: tuple[str, ...], answer: str, terminals: dict[str, Terminal], acl: gear.ACL
) -> None:
    before = repr(acl.getEntries())
    assert terminals[ADMIN].type(*words).startswith(answer)
    assert repr(acl.getEntries()) == before


@pytest.fixture
def client(server: gear.Server, files: dict[str, Files]) -> Iterator[gear.Client]:
    client = gear.Client()
    client.addServer(HOST, server.port, *files[CLIENT])
    client.waitForServer(20)
    yield client
    client.shutdown()


@pytest.mark.parametrize("subject", [STRANGER, WORKER, ADMIN])
def test_who_may_invoke_a_function_may_cancel_its_jobs(
    subject: str, client: gear.Client, terminals: dict[str, Terminal]
) -> None:
    job = gear.Job("reverse", b"")
    client.submitJob(job)
    assert job.handle is not None
    answers = []
    for who in (subject, CLIENT):
        request = gear.CancelJobAdminRequest(job.handle)
        terminals[who].connection.sendAdminRequest(request, 20)
        answers.append((request.response or b"").strip())
    assert answers == [b"ERR PERMISSION_DENIED", b"OK"]


def test_a_subject_has_one_entry(acl: gear.ACL) -> None:
    with pytest.raises(gear.ACLError, match=f"entry for {ADMIN}"):
        acl.add(gear.ACLEntry(ADMIN))


def test_a_change_counts_for_connections_that_stand(
    server: gear.Server, files: dict[str, Files], terminals: dict[str, Terminal]
) -> None:
    client = gear.Client()
    client.addServer(HOST, server.port, *files[STRANGER])
    client.waitForServer(20)
    with pytest.raises(gear.ServerError, match="PERMISSION_DENIED"):
        client.submitJob(gear.Job("reverse", b""))
    assert terminals[ADMIN].type("grant", "invoke", STRANGER, "reverse") == "OK\n"
    client.submitJob(gear.Job("reverse", b""))
    client.shutdown()


def test_a_server_without_a_list_says_so() -> None:
    server = gear.Server(0, host=HOST)
    connection = gear.Connection(HOST, server.port)
    connection.connect()
    for request in (Command("list"), Command("grant"), Command()):
        connection.sendAdminRequest(request, 20)
        assert request.response == b"ERR ACL_DISABLED\n"
    connection.disconnect()
    server.shutdown()


def test_patterns_and_names_are_text_or_bytes() -> None:
    for pattern in ("build.*", b"build.*"):
        entry = gear.ACLEntry("subject", register=pattern, invoke=pattern)
        for name in ("build:a", b"build:a"):
            assert entry.canRegister(name)
            assert entry.canInvoke(name)
        assert not entry.canInvoke(b"other")
    with pytest.raises(gear.ACLError, match="regular expression"):
        gear.ACLEntry("subject", invoke="(")
