"""``gear-client`` as a process: what its streams, signals and terminals are to it."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import gear
from gear_client.cli.program import program
from support.certificates import Authority
from support.command_worker import WAIT, command_worker
from support.fix_geard import Start
from support.geard_program import HOST, Geard

COMMAND = [sys.executable, "-W", "error", "-m", "gear_client.cli.entry"]
TIMED_OUT, INTERRUPTED = 4, 130
_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[a-zA-Z]")


@pytest.fixture
def geard(start: Start) -> Geard:
    return start()


def environment(geard: Geard, **more: str) -> dict[str, str]:
    return os.environ | {"GEARMAN_SERVERS": f"{HOST}:{geard.port}", "TERM": "xterm"} | more


def begin(geard: Geard, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *words],
        env=environment(geard),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def read_line(process: subprocess.Popen[bytes]) -> bytes:
    """Return the next line of a process's output, while it goes on."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], WAIT)
    assert readable, "nothing comes"
    return process.stdout.readline()


def end(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    """Wait for the end of a process; returns its exit code and what else it wrote."""
    out, err = process.communicate(timeout=WAIT)
    return process.returncode, out, err


def test_each_option(start: Start, tmp_path: Path) -> None:
    """Over TLS and without; none is left out."""
    authority = Authority(tmp_path / "authority")
    server, own = authority.issue(HOST), authority.issue("client.example.com")
    (tmp_path / "tls").mkdir()
    plain = start()
    secret = start(
        "--ssl-key", server.key, "--ssl-cert", server.cert, "--ssl-ca", server.ca,
        folder=tmp_path / "tls",
    )  # fmt: skip
    tls = ("--server", f"{HOST}:{secret.port}", "--ssl-key", own.key, "--ssl-cert", own.cert,
           "--ssl-ca", own.ca)  # fmt: skip
    tried: set[str] = set()

    def call(*words: str, given: bytes = b"") -> tuple[int, bytes]:
        tried.update(word for word in words if word.startswith("--"))
        with begin(plain, *words) as process:
            out, _ = process.communicate(given, timeout=WAIT)
        return process.returncode, out

    def squares(job: gear.WorkerJob) -> None:
        for number in range(*json.loads(job.arguments)):
            job.sendWorkData(b"%d" % number**2)
        job.sendWorkComplete()

    with command_worker(secret.port, own):
        assert call("run", "reverse", "abc", *tls) == (0, b"cba")
        assert call("ping", "--timeout", "0", *tls)[0] == TIMED_OUT
    with command_worker(plain.port, squares=squares):
        assert call("run", "name", "--unique", "mine", "--high") == (0, b"mine")
        lines = ("run", "echo", "--lines", "--parallel", "1", "--low")
        assert call(*lines, given=b"a\nb") == (0, b"a\nb\n")
        assert call("run", "squares", "--args", "[3]") == (0, b"0\n1\n4\n")
        code, out = call("run", "squares", "--args", "[3]", "--json")
        assert (code, json.loads(out)["parts"]) == (0, ["0", "1", "4"])
    assert call("run", "nobody", "--timeout", "0.3") == (TIMED_OUT, b"")
    for options in (
        ("--high",),
        ("--low", "--args", "{}"),
        ("--at", "2100-01-01"),
        ("--in", "9999"),
    ):
        assert call("submit", "later", *options)[0] == 0
    with gear.AdminClient(HOST, plain.port) as admin:
        (row,) = (row for row in admin.priorityStatus() if row.function == b"later")
        (counts,) = (row for row in admin.status() if row.function == b"later")
    # Those for later have no precedence before they are due.
    assert (row.high, row.normal, row.low, counts.total) == (1, 0, 1, 4)
    handles = [call("submit", "once", "--unique", "key")[1].decode() for _ in range(2)]
    assert handles[0] == handles[1]
    code, out = call("status", handles[0].strip(), "--json")
    assert (code, json.loads(out)["state"]) == (0, "queued")
    assert call("cancel", handles[0].strip()) == (0, b"")
    assert call("status", handles[0].strip())[0] == 1

    offered = {
        option
        for command in program.commands.values()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    assert tried >= offered


def test_data_comes_as_it_is_sent(geard: Geard) -> None:
    seen = threading.Event()

    def drip(job: gear.WorkerJob) -> None:
        job.sendWorkData(b"first\n")
        seen.wait(WAIT)
        job.sendWorkComplete(b"second")

    with command_worker(geard.port, drip=drip), begin(geard, "run", "drip") as process:
        assert read_line(process) == b"first\n"
        seen.set()
        assert end(process) == (0, b"second", b"")


def test_a_line_is_done_before_the_next_one_comes(geard: Geard) -> None:
    with command_worker(geard.port), begin(geard, "run", "reverse", "--lines") as process:
        assert process.stdin is not None
        for line in (b"abc", b"", b"x" * 100_000 + b"y"):
            process.stdin.write(line + b"\n")
            process.stdin.flush()
            assert read_line(process) == line[::-1] + b"\n"
        process.stdin.write(b"de")
        assert end(process) == (0, b"ed\n", b"")


def test_a_job_is_submitted_before_the_next_line_comes(geard: Geard) -> None:
    with begin(geard, "submit", "later", "--lines") as process:
        assert process.stdin is not None
        process.stdin.write(b"abc\n")
        process.stdin.flush()
        assert read_line(process).startswith(b"H:")
        assert end(process) == (0, b"", b"")


def test_what_is_binary_passes_unchanged(geard: Geard) -> None:
    data = os.urandom(3_000_000)
    with command_worker(geard.port), begin(geard, "run", "echo", "-") as process:
        out, err = process.communicate(data, timeout=WAIT)
        assert (process.returncode, out == data, err) == (0, True, b"")


def test_endless_lines_take_no_memory(geard: Geard) -> None:
    """What is not read of the results is not read of the lines either."""
    with command_worker(geard.port), begin(geard, "run", "echo", "--lines") as process:
        assert process.stdin is not None
        written = threading.Event()

        def feed() -> None:
            assert process.stdin is not None
            try:
                for _ in range(100):
                    process.stdin.write(b"x" * 1023 + b"\n" + b"y" * 1_000_000 + b"\n")
                written.set()
            except BrokenPipeError:
                pass

        feeder = threading.Thread(target=feed)
        feeder.start()
        assert read_line(process) == b"x" * 1023 + b"\n"
        assert not written.wait(1)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(WAIT) == 0
        feeder.join(WAIT)
        assert process.stderr is not None
        assert process.stderr.read() == b""
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-"])
def test_streams_that_are_closed(geard: Geard, streams: str) -> None:
    with command_worker(geard.port):
        done = subprocess.run(
            ["bash", "-c", f'"$@" {streams}', "bash", *COMMAND, "run", "echo", "--lines"],
            env=environment(geard), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=WAIT, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_nobody_reads(geard: Geard) -> None:
    """As in ``gear-client run … | head -1``."""

    def flood(job: gear.WorkerJob) -> None:
        for _ in range(1000):
            job.sendWorkData(b"x" * 9999 + b"\n")
        job.sendWorkComplete()

    with command_worker(geard.port, flood=flood), begin(geard, "run", "flood") as process:
        read_line(process)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(WAIT) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("status", "H:a:1")])
def test_nobody_reads_what_is_short(geard: Geard, words: Sequence[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, *words],
        env=environment(geard), stdout=write, stderr=subprocess.PIPE, timeout=WAIT, check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_ctrl_c(geard: Geard) -> None:
    begun = threading.Event()
    go = threading.Event()

    def hang(job: gear.WorkerJob) -> None:
        begun.set()
        go.wait(WAIT)

    with command_worker(geard.port, hang=hang), begin(geard, "run", "hang") as process:
        assert begun.wait(WAIT)
        process.send_signal(signal.SIGINT)
        assert end(process) == (INTERRUPTED, b"", b"")
        go.set()


def test_ctrl_c_while_lines_are_awaited(geard: Geard) -> None:
    with command_worker(geard.port), begin(geard, "run", "echo", "--lines") as process:
        assert process.stdin is not None
        process.stdin.write(b"a\n")
        process.stdin.flush()
        assert read_line(process) == b"a\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == INTERRUPTED
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_ctrl_c_while_nobody_reads(geard: Geard) -> None:
    sent = threading.Event()

    def flood(job: gear.WorkerJob) -> None:
        job.sendWorkData(b"x" * 5_000_000)
        sent.set()
        job.sendWorkComplete()

    with command_worker(geard.port, flood=flood), begin(geard, "run", "flood") as process:
        assert process.stdout is not None
        assert sent.wait(WAIT)
        select.select([process.stdout], [], [], WAIT)
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == INTERRUPTED
        assert process.stderr is not None
        assert process.stderr.read() == b""


# Terminals


class Terminal:
    """A terminal for a process.

    Attributes:
        shown: All that was written to it.
    """

    def __init__(self) -> None:
        self._own, self.other = pty.openpty()
        self.shown = b""

    def read_until(self, text: bytes) -> None:
        """Read until some text was shown."""
        deadline = time.monotonic() + WAIT
        while text not in self.shown:
            readable, _, _ = select.select([self._own], [], [], deadline - time.monotonic())
            assert readable, self.shown
            self.shown += os.read(self._own, 65536)

    def close(self) -> None:
        """Read what is left, and close it."""
        os.close(self.other)
        try:
            while data := os.read(self._own, 65536):
                self.shown += data
        except OSError:
            pass  # that is how a terminal says that nobody has it any more
        os.close(self._own)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal


def test_a_terminal_gets_no_control_characters(geard: Geard, terminal: Terminal) -> None:
    with command_worker(geard.port):
        process = subprocess.Popen(
            [*COMMAND, "run", "stream"],
            env=environment(geard, TERM="dumb"), stdin=subprocess.DEVNULL,
            stdout=terminal.other, stderr=terminal.other,
        )  # fmt: skip
        assert process.wait(WAIT) == 0
    terminal.close()
    # The end of the last line is for the prompt that follows.
    shown = [rb"one", rb"careful\x1b[2J", rb"two\x1b[2J\xff", rb"three", b""]
    assert terminal.shown == b"\r\n".join(shown)


@pytest.mark.parametrize("letters", ["é".encode(), "日本".encode(), b"\t"])
def test_letters_that_come_in_parts(geard: Geard, terminal: Terminal, letters: bytes) -> None:
    def part(job: gear.WorkerJob) -> None:
        for byte in letters:
            job.sendWorkData(bytes([byte]))
        job.sendWorkComplete(b"\xe6")

    with command_worker(geard.port, part=part):
        process = subprocess.Popen(
            [*COMMAND, "run", "part"],
            env=environment(geard), stdin=subprocess.DEVNULL, stdout=terminal.other,
        )  # fmt: skip
        assert process.wait(WAIT) == 0
    terminal.close()
    assert terminal.shown == letters + b"\\xe6\r\n"


def test_progress_is_drawn_and_removed(geard: Geard, terminal: Terminal) -> None:
    seen = threading.Event()

    def half(job: gear.WorkerJob) -> None:
        job.sendWorkStatus(5, 10)
        seen.wait(WAIT)
        job.sendWorkComplete(b"done\n")

    with command_worker(geard.port, half=half):
        process = subprocess.Popen(
            [*COMMAND, "run", "half"],
            env=environment(geard), stdin=subprocess.DEVNULL,
            stdout=terminal.other, stderr=terminal.other,
        )  # fmt: skip
        terminal.read_until(b"5/10")
        seen.set()
        assert process.wait(WAIT) == 0
    terminal.close()
    assert b"half" in terminal.shown
    # The cursor is shown again, the bar's line is erased, and the data is all there is after it.
    assert terminal.shown.rindex(b"\x1b[?25h") > terminal.shown.rindex(b"\x1b[?25l")
    assert b"\x1b[2K" in terminal.shown
    assert _SEQUENCE.sub(b"", terminal.shown).endswith(b"\rdone\r\n")


def test_progress_stays_out_of_files(geard: Geard) -> None:
    def half(job: gear.WorkerJob) -> None:
        job.sendWorkStatus(5, 10)
        job.sendWorkComplete(b"done\n")

    with command_worker(geard.port, half=half), begin(geard, "run", "half") as process:
        assert end(process) == (0, b"done\n", b"")


def test_ctrl_c_restores_the_cursor(geard: Geard, terminal: Terminal) -> None:
    go = threading.Event()

    def half(job: gear.WorkerJob) -> None:
        job.sendWorkStatus(5, 10)
        go.wait(WAIT)

    with command_worker(geard.port, half=half):
        process = subprocess.Popen(
            [*COMMAND, "run", "half"],
            env=environment(geard), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=terminal.other,
        )  # fmt: skip
        terminal.read_until(b"5/10")
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == INTERRUPTED
        go.set()
    terminal.close()
    assert terminal.shown.rindex(b"\x1b[?25h") > terminal.shown.rindex(b"\x1b[?25l")
    assert b"Traceback" not in terminal.shown


# Starting


def test_a_shell_completes_commands_and_options(geard: Geard) -> None:
    script = subprocess.run(
        [*COMMAND, "--completion", "bash"], capture_output=True, text=True, check=True
    ).stdout
    assert "_GEAR_CLIENT_COMPLETE=bash_complete" in script
    for line, completed in {
        "gear-client su": "submit",
        "gear-client run --par": "--parallel",
    }.items():
        done = subprocess.run(
            COMMAND,
            env=environment(
                geard, _GEAR_CLIENT_COMPLETE="bash_complete", COMP_WORDS=line,
                COMP_CWORD=str(len(line.split()) - 1),
            ),
            capture_output=True, text=True, check=True, timeout=WAIT,
        )  # fmt: skip
        assert done.stdout.split(",")[1].strip() == completed


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(shell: str) -> None:
    done = subprocess.run(
        [*COMMAND, "--completion", shell], capture_output=True, text=True, check=True, timeout=WAIT
    )
    assert f"_GEAR_CLIENT_COMPLETE={shell}_complete" in done.stdout


def test_help_loads_no_client_and_no_tables() -> None:
    code = (
        "import sys; from gear_client.cli.entry import main; sys.argv[1:] = ['--help']; main();"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=WAIT
    )
    loaded = set(done.stdout.rpartition("\n\n")[2].split())
    assert "click" in loaded
    assert not loaded & {"asyncio", "msgspec", "rich", "socket", "ssl", "gear_client.client"}


def test_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['click'] = None; from gear_client.cli.entry import main;"
        "sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=WAIT
    )
    assert done.returncode == 2
    assert done.stderr == "gear-client: click is missing: pip install 'gear-client[cli]'\n"
