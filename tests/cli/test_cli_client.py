"""``gear-client`` in this process: what each command asks, shows and returns."""

import json
import os
import pty
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from gear_client.__about__ import __version__
from gear_client.cli.program import program
from gear_wire.cli.command import run
from support.certificates import Authority
from support.command_worker import WAIT, command_worker
from support.fix_geard import Start
from support.fix_peers import Gearmand, free_port
from support.geard_program import HOST, Geard, wait_until

OK, FAILED, USAGE, NO_SERVER, TIMED_OUT = range(5)


class Ended:
    """How a command ended, and what it wrote."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code = code
        self.out = out
        self.err = err.decode()

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Ended]


@pytest.fixture
def call(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Call:
    """Runs gear-client with words, at the servers whose ports come first."""
    monkeypatch.delenv("GEARMAN_SERVERS", raising=False)

    def call(*words: str, ports: tuple[int, ...] = (), given: bytes = b"") -> Ended:
        (tmp_path / "stdin").write_bytes(given)
        with (tmp_path / "stdin").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            named = [each for port in ports for each in ("--server", f"{HOST}:{port}")]
            code = run(program, "gear-client", [*words, *named])
        return Ended(code, *capsysbinary.readouterr())

    return call


@pytest.fixture
def geard(start: Start) -> Geard:
    return start()


@pytest.fixture(params=["geard", pytest.param("gearmand", marks=pytest.mark.peer)])
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


@pytest.mark.parametrize("spelling", ["--version", "-V"])
def test_version(call: Call, spelling: str) -> None:
    assert call(spelling).out == f"gear-client {__version__}\n".encode()


# run


def test_the_result_goes_out_as_it_is(call: Call, port: int) -> None:
    with command_worker(port):
        for data in (b"", b"test string", bytes(range(256)) * 5000):
            ended = call("run", "echo", "-", ports=(port,), given=data)
            assert (ended.code, ended.out, ended.err) == (OK, data, "")
        ended = call("run", "reverse", os.fsdecode(b"caf\xc3\xa9 \xff"), ports=(port,))
        assert (ended.code, ended.out) == (OK, b"\xff \xa9\xc3fac")
        assert call("run", "echo", ports=(port,)).out == b""


def test_data_and_warnings_go_out_apart(call: Call, port: int) -> None:
    with command_worker(port):
        ended = call("run", "stream", ports=(port,))
        assert (ended.code, ended.out) == (OK, b"one\ntwo\x1b[2J\xff\nthree")
        assert ended.err == "careful\x1b[2J\n"
        (row,) = call("run", "stream", "--json", ports=(port,)).rows
        assert row.pop("handle")
        # It is not text.
        assert row.pop("base64") == "b25lCnR3bxtbMkr/CnRocmVl"
        assert row == {"warnings": ["careful\x1b[2J\n"], "error": None}


def test_each_warning_has_lines_of_its_own(call: Call, port: int) -> None:
    """With the end of a line or without, as typed functions and programs send them."""

    def warn(job: gear.WorkerJob) -> None:
        for warning in (b"w0", b"w1\n", b"w2\nw3"):
            job.sendWorkWarning(warning)
        job.sendWorkException(b"enough")

    with command_worker(port, warn=warn):
        ended = call("run", "warn", ports=(port,))
    assert ended.err == "w0\nw1\nw2\nw3\ngear-client: warn: enough\n"


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("refuse", "refuse: the job failed"),
        ("raise", "raise: OutOfStock: none is left"),
        ("complain", r"complain: disk \x1b[2Jfull"),
    ],
)
def test_a_job_that_fails(call: Call, port: int, function: str, error: str) -> None:
    with command_worker(port):
        ended = call("run", function, "x", ports=(port,))
        assert (ended.code, ended.out) == (FAILED, b"")
        assert ended.err == f"gear-client: {error}\n"
        ended = call("run", function, "x", "--json", ports=(port,))
        assert (ended.code, ended.err) == (FAILED, f"gear-client: {error}\n")
        assert ended.rows[0]["error"] == error


def test_several_jobs_have_their_results_in_order(call: Call, port: int) -> None:
    with command_worker(port):
        ended = call("run", "echo", "b", "", "a\n", ports=(port,))
        assert (ended.code, ended.out) == (OK, b"b\n\na\n")
        lines = [b"%d" % number for number in range(1000)]
        given = b"\n".join(lines)
        for options in ((), ("--parallel", "1"), ("--parallel", "300")):
            ended = call("run", "echo", "--lines", *options, ports=(port,), given=given)
            assert (ended.code, ended.out) == (OK, given + b"\n")
        rows = call("run", "echo", "a", "b", "--json", ports=(port,)).rows
        assert [row["data"] for row in rows] == ["a", "b"]
        assert call("run", "echo", "--lines", ports=(port,)).out == b""


def test_one_that_fails_leaves_an_empty_line(call: Call, geard: Geard) -> None:
    def check(job: gear.WorkerJob) -> None:
        if job.arguments == b"bad":
            job.sendWorkFail()
        else:
            job.sendWorkComplete(job.arguments)

    with command_worker(geard.port, check=check):
        ended = call("run", "check", "--lines", ports=(geard.port,), given=b"a\nbad\nb\n")
    assert (ended.code, ended.out) == (FAILED, b"a\n\nb\n")
    assert ended.err == "gear-client: job 2: check: the job failed\n"


def test_no_more_jobs_are_at_work_than_was_said(call: Call, geard: Geard) -> None:
    together = threading.Barrier(3)
    present: list[int] = []
    lock = threading.Lock()

    def meet(job: gear.WorkerJob) -> None:
        with lock:
            present.append(1)
            most = len(present)
        together.wait(WAIT)
        with lock:
            present.pop()
        job.sendWorkComplete(b"%d" % most)

    with command_worker(geard.port, places=10, meet=meet):
        ended = call(
            "run", "meet", "--lines", "--parallel", "3", ports=(geard.port,), given=b"x\n" * 9
        )
    assert ended.code == OK
    assert max(map(int, ended.out.split())) == 3


def test_arguments_of_a_typed_function(call: Call, port: int) -> None:
    with command_worker(port):
        arguments = '{"width": 64, "name": "café"}'
        ended = call("run", "echo", "--args", arguments, ports=(port,))
        assert (ended.code, ended.out.decode()) == (OK, f"{arguments}\n")


def test_the_items_of_a_typed_function_stay_apart(call: Call, port: int) -> None:
    def squares(job: gear.WorkerJob) -> None:
        (limit,) = json.loads(job.arguments)
        for number in range(limit):
            job.sendWorkData(b"%d" % number**2)
        job.sendWorkComplete()

    def image(job: gear.WorkerJob) -> None:
        job.sendWorkData(b"title\n")
        job.sendWorkComplete(b"\xff")

    with command_worker(port, squares=squares, image=image):
        assert call("run", "squares", "--args", "[5]", ports=(port,)).out == b"0\n1\n4\n9\n16\n"
        (row,) = call("run", "squares", "--args", "[3]", "--json", ports=(port,)).rows
        assert (row["data"], row["parts"]) == ("014", ["0", "1", "4"])
        (row,) = call("run", "squares", "[3]", "--json", ports=(port,)).rows
        assert (row["data"], "parts" in row) == ("014", False)
        # What is no text is left as it is.
        assert call("run", "image", "--args", "[]", ports=(port,)).out == b"title\n\xff"
        (row,) = call("run", "image", "--args", "[]", "--json", ports=(port,)).rows
        assert (row["base64"], row["parts"]) == ("dGl0bGUK/w==", ["dGl0bGUK", "/w=="])


def test_precedence_and_unique(call: Call, geard: Geard) -> None:
    for words in ((), ("--low",), ("--high", "--unique", "key")):
        assert call("submit", "name", *words, ports=(geard.port,)).code == OK
    with gear.AdminClient(HOST, geard.port) as admin:
        (row,) = admin.priorityStatus()
        assert (row.high, row.normal, row.low) == (1, 1, 1)
    with command_worker(geard.port):
        ended = call("run", "name", "--unique", "mine", ports=(geard.port,))
        assert ended.out == b"mine"


def test_what_takes_too_long(call: Call, port: int, silent: int) -> None:
    begin = time.monotonic()
    ended = call("run", "nobody", "--timeout", "0.3", ports=(port,))
    assert (ended.code, ended.out) == (TIMED_OUT, b"")
    # A busy machine may not even have taken the job by then.
    assert ended.err.startswith("gear-client: ") and ended.err.endswith(" in 0.3 s\n")
    ended = call("run", "nobody", "--timeout", "0.3", ports=(silent,))
    assert ended.code == TIMED_OUT
    assert ended.err.count("\n") == 1
    assert time.monotonic() - begin < WAIT


def test_no_server(call: Call, geard: Geard) -> None:
    port = free_port()
    refused = f"no server can be reached: {HOST} port {port}: "
    for words in (("run", "echo"), ("submit", "echo"), ("status", "H:a:1"), ("cancel", "H:a:1")):
        ended = call(*words, ports=(port,))
        assert (ended.code, ended.out) == (NO_SERVER, b"")
        assert ended.err.startswith(f"gear-client: {refused}")
        assert ended.err.count("\n") == 1
    # One that is up is enough for a job.
    with command_worker(geard.port):
        assert call("run", "echo", "x", ports=(port, geard.port)).out == b"x"


def test_a_server_that_is_lost(call: Call, start: Start, tmp_path: Path) -> None:
    geard = start()

    def kill(job: gear.WorkerJob) -> None:
        geard.kill()

    with command_worker(geard.port, kill=kill):
        ended = call("run", "kill", ports=(geard.port,))
    assert ended.code == NO_SERVER
    assert ended.err == "gear-client: kill: the server was lost before the job ended\n"


def test_on_a_terminal(call: Call, geard: Geard, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b""

    def count(job: gear.WorkerJob) -> None:
        nonlocal text
        job.sendWorkStatus(5, 10)
        while b"5/10" not in text:  # or the next one might come before it was drawn
            text += shown.read(65536)
        job.sendWorkData(b"o\x1b[2Jne\n")
        job.sendWorkStatus(6, 10)
        job.sendWorkData(b"tw")
        job.sendWorkStatus(7, 10)  # would be drawn over what stands in the line
        job.sendWorkWarning(b"hot")
        job.sendWorkStatus(8, 10)
        job.sendWorkComplete(b"o")

    own, other = pty.openpty()
    with os.fdopen(own, "rb", buffering=0) as shown, os.fdopen(other, "w") as terminal:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("sys.stdout", terminal)
        monkeypatch.setattr("sys.stderr", terminal)
        with command_worker(geard.port, count=count):
            assert run(program, "gear-client", ["run", "count", "-s", f"{HOST}:{geard.port}"]) == OK
        text += shown.read(65536)
    assert b"7/10" not in text
    # The bar is erased before data comes, of which control characters are escaped; what follows,
    # such as a prompt, has a line of its own, and so has a warning.
    assert b"\x1b[2Ko\\x1b[2Jne\r\n" in text
    assert b"\x1b[2J" not in text
    assert b"tw\r\nhot\r\n" in text
    assert text.endswith(b"\n")


# submit, status, cancel, ping


def test_a_job_in_the_background(call: Call, port: int) -> None:
    ended = call("submit", "later", "x", ports=(port,))
    assert (ended.code, ended.err) == (OK, "")
    handle = ended.out.decode().strip()
    ended = call("status", handle, ports=(port,))
    assert ended.code == OK
    assert [line.split() for line in ended.out.decode().splitlines()] == [
        ["handle", "state", "done"],
        [handle, "queued", "-"],
    ]
    ended = call("status", handle, "H:none:1", "--json", ports=(port,))
    assert ended.code == FAILED
    assert ended.rows == [
        {"handle": handle, "state": "queued", "numerator": 0, "denominator": 0},
        {"handle": "H:none:1", "state": "unknown", "numerator": 0, "denominator": 0},
    ]
    ended = call("cancel", handle, ports=(port,))
    assert (ended.code, ended.out, ended.err) == (OK, b"", "")
    ended = call("cancel", "H:none:1", ports=(port,))
    assert (ended.code, ended.out) == (FAILED, b"")
    assert ended.err == "gear-client: no server has a job H:none:1 that can be cancelled\n"
    assert call("cancel", "H:none:1", "--json", ports=(port,)).rows == [
        {"handle": "H:none:1", "cancelled": False}
    ]


def test_how_far_a_job_has_come(call: Call, geard: Geard) -> None:
    told, go = threading.Event(), threading.Event()

    def half(job: gear.WorkerJob) -> None:
        job.sendWorkStatus(1, 2)
        told.set()
        go.wait(WAIT)
        job.sendWorkComplete()

    with command_worker(geard.port, half=half):
        handle = call("submit", "half", ports=(geard.port,)).out.decode().strip()
        assert told.wait(WAIT)
        wait_until(
            lambda: (
                call("status", handle, "--json", ports=(geard.port,)).rows
                == [{"handle": handle, "state": "running", "numerator": 1, "denominator": 2}]
            ),
            "the server does not know how far it is",
        )
        assert b"1/2" in call("status", handle, ports=(geard.port,)).out
        go.set()


def test_several_jobs_in_the_background(call: Call, port: int) -> None:
    rows = call("submit", "later", "--lines", "--json", ports=(port,), given=b"a\nb\nc").rows
    assert [row["server"] for row in rows] == [f"{HOST}:{port}"] * 3
    assert len({row["handle"] for row in rows}) == 3


def test_a_job_for_later(call: Call, port: int) -> None:
    with command_worker(port) as worker:
        for words in (("--in", "3600"), ("--at", "2100-01-01"), ("--at", "2100-01-01T10:00Z")):
            assert call("submit", "refuse", *words, ports=(port,)).code == OK
        # Of these none is due, and of this one is.
        assert call("submit", "echo", "--in", "0", ports=(port,)).code == OK
        assert call("run", "echo", "x", ports=(port,)).out == b"x"
        assert worker.active_connections
    with gear.AdminClient(HOST, port) as admin:
        (row,) = [row for row in admin.status() if row.function == b"refuse"]
        assert row.total == 3


def test_a_job_of_another_server(call: Call, start: Start, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    ports = (start().port, start(folder=tmp_path / "other").port)
    handle = call("submit", "later", ports=ports[1:]).out.decode().strip()
    assert call("status", handle, ports=ports).code == OK
    assert call("cancel", handle, ports=ports).code == OK
    down = free_port()
    ended = call("status", handle, ports=(ports[0], down))
    assert ended.code == NO_SERVER  # that one might know it
    assert ended.err.startswith(f"gear-client: {HOST}:{down}: ")


def test_ping(call: Call, port: int, silent: int) -> None:
    ended = call("ping", ports=(port,))
    assert (ended.code, ended.err) == (OK, "")
    header, row = (line.split() for line in ended.out.decode().splitlines())
    assert (header, row[0]) == (["server", "ms"], f"{HOST}:{port}")
    assert 0 < float(row[1]) < 1000 * WAIT
    (answer,) = call("ping", "--json", ports=(port,)).rows
    assert answer["server"] == f"{HOST}:{port}"
    ended = call("ping", "--timeout", "0.5", ports=(port, silent))
    assert (ended.code, len(ended.out.splitlines())) == (TIMED_OUT, 2)
    ended = call("ping", ports=(port, free_port()))
    assert (ended.code, len(ended.out.splitlines())) == (NO_SERVER, 2)


def test_tls(call: Call, start: Start, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    server, own = authority.issue(HOST), authority.issue("client.example.com")
    geard = start("--ssl-key", server.key, "--ssl-cert", server.cert, "--ssl-ca", server.ca)
    files = ("--ssl-key", own.key, "--ssl-cert", own.cert, "--ssl-ca", own.ca)
    with command_worker(geard.port, own):
        assert call("run", "reverse", "abc", *files, ports=(geard.port,)).out == b"cba"
        ended = call("run", "reverse", "abc", *files[:4], ports=(geard.port,))
        assert ended.code == USAGE
        assert ended.err.startswith("gear-client: TLS needs ssl_key, ssl_cert and ssl_ca")
        assert call("run", "reverse", "--timeout", "2", ports=(geard.port,)).code in (
            NO_SERVER, TIMED_OUT
        )  # fmt: skip


# Wrong usage


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("run",), "Missing argument 'FUNCTION'"),
        (("run", ""), "a function name must not be empty"),
        (("run", "f", "x", "--lines"), "DATA, --lines and --args exclude each other"),
        (("run", "f", "--args", "{"), "--args is not JSON: Input data was truncated"),
        (("run", "f", "--args", "3"), "--args is an object of arguments by name, or an array"),
        (("run", "f", "--high", "--low"), "--high and --low exclude each other"),
        (("run", "f", "a", "b", "--unique", "k"), "--unique is for one job"),
        (("run", "f", "-", "-"), "- stands for all of standard input"),
        (
            ("run", "f", "--parallel", "0"),
            "Invalid value for '--parallel': '0' is not a whole number, 1 or more; see ",
        ),
        (
            ("run", "f", "--timeout", "soon"),
            "Invalid value for '--timeout': 'soon' is not a number, 0 or more; see ",
        ),
        (
            ("submit", "f", "--in", "1e99"),
            "Invalid value for '--in': '1e99' is not a number, 0 to 1e+09; see ",
        ),
        (("submit", "f", "--in", "nan"), "Invalid value for '--in': 'nan' is not a number, 0 to"),
        (("run", "f", "--at", "10:00"), "No such option '--at'"),
        (("run", "f", "--server", "a:port:x"), "a server is HOST, HOST:PORT or [IPV6]:PORT"),
        (("submit", "f", "--at", "noon"), "Invalid value for '--at': 'noon' is no time such as"),
        (("submit", "f", "--at", "10:00", "--in", "1"), "--at and --in exclude each other"),
        (("submit", "f", "--in", "1", "--high"), "a job for later has normal precedence"),
        (("status",), "Missing argument 'HANDLE...'"),
        (("runs", "f"), "there is no command 'runs'; the commands are run, submit, status"),
    ],
)
def test_wrong_usage(call: Call, words: tuple[str, ...], error: str) -> None:
    ended = call(*words)
    assert (ended.code, ended.out) == (USAGE, b"")
    assert ended.err.startswith(f"gear-client: {error}")
    assert ended.err.count("\n") == 1


def test_the_environment_names_servers(
    call: Call, geard: Geard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEARMAN_SERVERS", f"{HOST}:{free_port()},{HOST}:{geard.port}")
    with command_worker(geard.port):
        assert call("run", "reverse", "abc").out == b"cba"
