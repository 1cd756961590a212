"""``gear-admin`` in this process: what each command asks, shows, and returns."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from gear_admin.cli import entry
from gear_admin.cli.commands import admin
from gear_wire.cli.command import run
from support.certificates import Authority
from support.fix_geard import Start
from support.fix_peers import Gearmand, free_port
from support.geard_program import Geard, running_job
from support.scripted_admin import forged
from support.scripted_server import ScriptedServer, scripted_server

OK, REFUSED, USAGE, NO_SERVER, TIMED_OUT = range(5)
HOST = "127.0.0.1"


class Ended:
    """How a command ended, and what it wrote."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def table(self) -> list[list[str]]:
        return [line.split() for line in self.out.splitlines()]

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Ended]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs gear-admin with words, at the servers whose ports come first."""
    monkeypatch.delenv("GEARMAN_SERVERS", raising=False)

    def call(*words: str, ports: tuple[int, ...] = ()) -> Ended:
        named = [each for port in ports for each in ("--server", f"{HOST}:{port}")]
        code = run(admin, "gear-admin", [*words, *named])
        return Ended(code, *capsys.readouterr())

    return call


@pytest.fixture
def geard(start: Start) -> Geard:
    return start()


@pytest.fixture(
    params=["geard", pytest.param("gearmand", marks=pytest.mark.peer)],
)
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """The port of each server in turn."""
    if request.param == "geard":
        geard: Geard = request.getfixturevalue("geard")
        yield geard.port
        return
    gearmand = Gearmand(tmp_path)
    yield gearmand.port
    gearmand.stop()


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are taken, and nothing is said."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


def test_functions_and_jobs(call: Call, port: int) -> None:
    with running_job(port) as running:
        assert call("status", ports=(port,)).table == [
            ["function", "queued", "running", "workers"],
            ["hold", "0", "1", "1"],
        ]
        assert call("status", "other", "--json", ports=(port,)).out == ""
        assert call("priorities", "--json", ports=(port,)).rows == [
            {"server": f"{HOST}:{port}", "function": "hold", "high": 0, "normal": 0, "low": 0,
             "workers": 1},
        ]  # fmt: skip
        (worker,) = call("workers", "--json", ports=(port,)).rows
        assert (worker["client_id"], worker["functions"]) == ("holder", ["hold"])
        assert call("workers", "other", "--json", ports=(port,)).rows == []
        # The client, and the one that asks.
        assert len(call("workers", "--all", "--json", ports=(port,)).rows) == 3
        (job,) = call("jobs", "--json", ports=(port,)).rows
        assert running.job.handle is not None
        assert job["handle"] == running.job.handle.decode()
        assert job["background"] is False


def test_a_function_comes_and_goes(call: Call, port: int) -> None:
    assert call("create", "resize", ports=(port,)).code == OK
    assert call("status", ports=(port,)).table[1:] == [["resize", "0", "0", "0"]]
    assert call("maxqueue", "resize", "1", ports=(port,)).code == OK
    client = gear.Client()
    try:
        client.addServer(HOST, port)
        client.waitForServer(10)
        jobs = [gear.Job("resize", b"", unique=str(number).encode()) for number in range(2)]
        client.submitJob(jobs[0], background=True)
        with pytest.raises(gear.GearmanError):
            client.submitJob(jobs[1], background=True)
        assert call("maxqueue", "resize", "5", "5", "5", ports=(port,)).code == OK
        assert call("maxqueue", "resize", ports=(port,)).code == OK
        client.submitJob(jobs[1], background=True)
        refused = call("wait", "resize", "--timeout", "0.5", ports=(port,))
        assert (refused.code, refused.err) == (
            TIMED_OUT, "gear-admin: 2 jobs are left after 0.5 s\n"
        )  # fmt: skip
        handles = [job.handle.decode() for job in jobs if job.handle is not None]
        assert len(handles) == 2
        assert call("cancel", *handles, ports=(port,)).code == OK
    finally:
        client.shutdown()
    unknown = call("cancel", "H:no:1", ports=(port,))
    assert (unknown.code, unknown.out) == (REFUSED, "")
    assert unknown.err == "gear-admin: no server has a job H:no:1 that can be cancelled\n"


def test_a_function_is_dropped_where_it_is(call: Call, port: int, silent: int) -> None:
    call("create", "resize", ports=(port,))
    assert call("drop", "resize", ports=(port,)).code == OK
    again = call("drop", "resize", ports=(port,))
    assert (again.code, again.err) == (REFUSED, "gear-admin: no server knows a function resize\n")
    unsure = call("drop", "resize", "--timeout", "0.2", ports=(port, silent))
    assert (unsure.code, unsure.err) == (
        TIMED_OUT, f"gear-admin: no answer from {HOST} port {silent} in 0.2 s\n"
    )  # fmt: skip
    with running_job(port):
        used = call("drop", "hold", ports=(port,))
    assert used.code == REFUSED
    assert f"{HOST} port {port}: there are still connected workers" in used.err


def test_what_happened_to_jobs(call: Call, geard: Geard) -> None:
    with running_job(geard.port) as running:
        header, row = call("stats", ports=(geard.port,)).table
        assert header[:6] == ["function", "queued", "running", "workers", "oldest", "s"]
        assert row[:4] == ["hold", "0", "1", "1"]
        assert call("stats", "other", "--json", ports=(geard.port,)).out == ""
        running.assigned.sendWorkFail()
        rows: list[dict[str, object]] = [{"failed": 0}]
        while not rows[0]["failed"]:
            rows = call("stats", "hold", "--json", ports=(geard.port,)).rows
    (told,) = rows
    assert (told["server"], told["function"]) == (f"{HOST}:{geard.port}", "hold")
    assert (told["submitted"], told["started"], told["running"]) == (1, 1, 0)


def test_what_only_geard_can(call: Call, geard: Geard) -> None:
    assert call("jobtimeout", "resize", "60", ports=(geard.port,)).code == OK
    assert call("joblog", "resize*", "off", ports=(geard.port,)).code == OK
    refused = call("acl", "list", ports=(geard.port,))
    assert (refused.code, refused.err) == (
        REFUSED, f"gear-admin: {HOST} port {geard.port}: ACL_DISABLED\n"
    )  # fmt: skip


@pytest.mark.peer
def test_what_gearmand_cannot(call: Call, tmp_path: Path) -> None:
    gearmand = Gearmand(tmp_path)
    try:
        for words in (
            ("acl", "list"),
            ("jobtimeout", "f", "1"),
            ("joblog", "f", "on"),
            ("stats",),
        ):
            refused = call(*words, "--timeout", "10", ports=(gearmand.port,))
            assert refused.code == REFUSED
            assert "UNKNOWN_" in refused.err
    finally:
        gearmand.stop()


def test_access_over_tls(call: Call, start: Start, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    server = authority.issue(HOST)
    rights = tmp_path / "acl.ini"
    rights.write_text("[ops]\ngrant = yes\nadmin = yes\nsee = yes\n")
    geard = start(
        "--ssl-key", server.key, "--ssl-cert", server.cert, "--ssl-ca", server.ca,
        "--acl", str(rights),
    )  # fmt: skip
    own = authority.issue("ops", common_name="ops")
    tls = ("--ssl-key", own.key, "--ssl-cert", own.cert, "--ssl-ca", own.ca)

    def ask(*words: str) -> Ended:
        return call(*words, *tls, ports=(geard.port,))

    granted = ask("acl", "grant", "register", "web", "image.*")
    assert (granted.code, granted.err) == (OK, "")
    assert ask("acl", "grant", "see", "web").code == OK
    assert ask("acl", "list").table == [
        ["subject", "register", "invoke", "grant", "admin", "see"],
        ["ops", "-", "-", "yes", "yes", "yes"],
        ["web", "image.*", "-", "no", "no", "yes"],
    ]
    assert ask("acl", "revoke", "all", "web").code == OK
    assert ask("acl", "self-revoke", "admin").code == OK
    (entry,) = ask("acl", "list", "--json").rows
    assert (entry["subject"], entry["admin"], entry["see"]) == ("ops", False, True)
    assert ask("ping").table[0] == ["server", "ms"]
    stranger = call("version", "--timeout", "10", ports=(geard.port,))
    assert stranger.code in (NO_SERVER, TIMED_OUT)
    missing = call("version", "--ssl-key", own.key, ports=(geard.port,))
    assert (missing.code, missing.out) == (USAGE, "")
    assert "missing: ssl_cert, ssl_ca" in missing.err


def test_all_servers_are_asked_at_once(call: Call, geard: Geard, silent: int) -> None:
    dead = free_port()
    call("create", "resize", ports=(geard.port,))
    asked = call("status", "--timeout", "1", ports=(silent, dead, geard.port))
    assert asked.code == TIMED_OUT
    assert asked.table == [
        ["server", "function", "queued", "running", "workers"],
        [f"{HOST}:{geard.port}", "resize", "0", "0", "0"],
    ]
    late, refused = asked.err.splitlines()
    assert late == f"gear-admin: no answer from {HOST} port {silent} in 1.0 s"
    assert refused.startswith(f"gear-admin: cannot connect to {HOST} port {dead}: ")
    alone = call("version", "--json", ports=(dead,))
    assert (alone.code, alone.out) == (NO_SERVER, "")


def test_ping_and_version(call: Call, geard: Geard) -> None:
    (answer,) = call("ping", "--json", ports=(geard.port,)).rows
    assert answer["server"] == f"{HOST}:{geard.port}"
    assert isinstance(answer["seconds"], float)
    assert call("version", ports=(geard.port,)).table[1][0] == f"{HOST}:{geard.port}"


def test_a_job_is_cancelled_wherever_it_is(call: Call, geard: Geard, start: Start) -> None:
    client = gear.Client()
    try:
        client.addServer(HOST, geard.port)
        client.waitForServer(10)
        job = gear.Job("resize", b"")
        client.submitJob(job, background=True)
    finally:
        client.shutdown()
    assert job.handle is not None
    done = call("cancel", job.handle.decode(), ports=(free_port(), geard.port))
    assert done.code == OK
    assert done.err.count("\n") == 1


def test_waiting_ends_with_the_last_job(call: Call, geard: Geard) -> None:
    with running_job(geard.port) as running:
        finish = threading.Timer(0.2, running.assigned.sendWorkComplete)
        finish.start()
        done = call("wait", "hold", "--interval", "0.02", ports=(geard.port,))
        finish.join()
    assert (done.code, done.err) == (OK, "")
    assert running.assigned.handle is not None
    unsure = call("wait", "hold", ports=(geard.port, free_port()))
    assert unsure.code == NO_SERVER


def test_forged_rows_harm_nobody(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    with scripted_server(forged) as server:
        assert call("status", ports=(server.port,)).table[1:] == [["reverse", "2", "1", "2"]]
    assert "Skipped 2 of 3 rows" in caplog.text


def test_names_are_escaped(call: Call, geard: Geard) -> None:
    call("create", "[red]\udcff", ports=(geard.port,))
    assert call("status", ports=(geard.port,)).table[1][0] == r"[red]\xff"
    (row,) = call("status", "--json", ports=(geard.port,)).rows
    assert row["function"] == r"[red]\xff"
    refused = call("create", "\x1b[31m", ports=(geard.port,))
    assert refused.code == REFUSED
    assert refused.err.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("stat",), "there is no command 'stat'; the commands are status, "),
        (("create", "a b"), "Invalid value for 'FUNCTION': 'a b' must be one word"),
        (("maxqueue", "f", "1", "2"), "maxqueue takes one limit, or three: high, normal and low"),
        (
            ("maxqueue", "f", "ten"),
            "Invalid value for '[LIMIT | HIGH NORMAL LOW]': 'ten' is not a whole number, 0 or more",
        ),
        (
            ("jobtimeout", "f", "1.5"),
            "Invalid value for 'SECONDS': '1.5' is not a whole number, 0 or more",
        ),
        (("joblog", "f", "yes"), "Invalid value for '{on|off}': 'yes' is not one of 'on', 'off'"),
        (("acl", "grant", "invoke", "web"), "register and invoke take a PATTERN"),
        (("acl", "grant", "see", "web", ".*"), "register and invoke take a PATTERN"),
        (("status", "-s", "x:y:z"), "a server is HOST, HOST:PORT or [IPV6]:PORT, not 'x:y:z'"),
        (("status", "-s", "a:99999"), "a port is a number from 1 to 65535"),
        (("status", "\x1b[31m", "--no"), "No such option"),
    ],
)
def test_wrong_usage(call: Call, words: tuple[str, ...], complaint: str) -> None:
    wrong = call(*words)
    assert (wrong.code, wrong.out) == (USAGE, "")
    line, end = wrong.err.split("\n")
    assert end == ""
    assert line.startswith(f"gear-admin: {complaint}")
    assert line.isprintable()


def test_without_a_command_there_is_help(call: Call) -> None:
    lost = call()
    assert lost.code == USAGE
    assert "Exit codes:" in lost.err


@pytest.mark.parametrize("group", [admin, admin.commands["acl"]])
def test_every_command_has_help_with_examples(call: Call, group: object) -> None:
    assert isinstance(group, type(admin))
    first = () if group is admin else ("acl",)
    for name in group.commands:
        shown = call(*first, name, "--help")
        assert shown.code == OK
        assert f"gear-admin {' '.join((*first, name))}" in shown.out.partition("Examples:")[2]
        assert max(map(len, shown.out.splitlines())) <= 80


def test_servers_of_the_environment(
    call: Call, geard: Geard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEARMAN_SERVERS", f"{HOST}:{geard.port}, {HOST}:{geard.port}")
    assert len(call("version", "--json").rows) == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(call: Call, shell: str) -> None:
    assert "_GEAR_ADMIN_COMPLETE" in call("--completion", shell).out


def test_the_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["gear-admin", "--version"])
    assert entry.main() == OK
    assert capsys.readouterr().out.startswith("gear-admin ")
    monkeypatch.delitem(sys.modules, "gear_admin.cli.commands")
    monkeypatch.setitem(sys.modules, "click", None)
    assert entry.main() == USAGE
    assert capsys.readouterr().err == (
        "gear-admin: click is missing: pip install 'gear-admin[cli]'\n"
    )


def test_help_loads_nothing_heavy() -> None:
    code = (
        "from gear_admin.cli import entry; code = entry.main(); print(*sys.modules); sys.exit(code)"
    )
    command = [sys.executable, "-c", f"import sys; {code}", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"asyncio", "ssl", "rich"} & {*done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("spelling", ["--version", "-V"])
def test_version(call: Call, spelling: str) -> None:
    assert call(spelling).out == f"gear-admin {gear.__version__}\n"


def test_the_answer_of_a_server_that_goes(call: Call) -> None:
    def vanish(peer: object, message: object) -> None:
        raise ConnectionResetError("goes")

    with scripted_server(vanish) as server:
        assert isinstance(server, ScriptedServer)
        gone = call("status", ports=(server.port,))
    assert (gone.code, gone.out, gone.err.count("\n")) == (NO_SERVER, "", 1)
