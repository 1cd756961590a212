"""``gear-admin top`` in terminals: what it shows there, and how it leaves them."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gear_admin.cli.commands import admin
from gear_admin.cli.top.terminal import Terminal
from gear_wire.cli.command import run
from support.fix_geard import Start
from support.fix_peers import Gearmand, free_port, require_program
from support.geard_program import HOST, Geard, running_job, wait_until
from support.person import Person
from support.scripted_server import ScriptedServer, scripted_server

Here = Callable[..., int]
TOP = (sys.executable, "-m", "gear_admin.cli.entry", "top", "--interval", "0.1")

# What a shell does for a program that is stopped: it is continued once a line is typed.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if not child:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
status = os.waitpid(child, os.WUNTRACED)[1]
assert os.WSTOPSIG(status) == signal.SIGTSTP
os.tcsetpgrp(0, os.getpid())
print("it is stopped", flush=True)
sys.stdin.readline()
os.tcsetpgrp(0, child)
os.kill(child, signal.SIGCONT)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def servers(*ports: int) -> list[str]:
    return [word for port in ports for word in ("-s", f"{HOST}:{port}")]


@pytest.fixture
def person() -> Iterator[Person]:
    person = Person()
    yield person
    person.close()


@pytest.fixture
def started(person: Person, start: Start) -> Iterator[subprocess.Popen[bytes]]:
    """A view of a server with a function, which is shown."""
    geard = start()
    geard.ask("create function resize")
    process = person.start([*TOP, *servers(geard.port)])
    person.wait_for("resize")
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda person, process: person.type("q"), 0),
        (lambda person, process: person.type("\x03"), 130),
        (lambda person, process: person.type("\x1c"), 128 + signal.SIGQUIT),
        (lambda person, process: process.terminate(), 128 + signal.SIGTERM),
        (lambda person, process: process.send_signal(signal.SIGHUP), 128 + signal.SIGHUP),
    ],
    ids=["q", "ctrl-c", "ctrl-backslash", "terminate", "hang up"],
)
def test_the_terminal_is_given_back(
    person: Person,
    started: subprocess.Popen[bytes],
    end: Callable[[Person, subprocess.Popen[bytes]], None],
    code: int,
) -> None:
    assert not person.restored()
    end(person, started)
    assert person.end(started) == code
    assert person.restored()
    assert b"Traceback" not in person.seen


def test_it_stops_and_goes_on(person: Person, start: Start) -> None:
    geard = start()
    geard.ask("create function resize")
    process = person.start([sys.executable, "-c", SHELL, *TOP, *servers(geard.port)])
    person.wait_for("resize")
    person.type("\x1a")
    person.wait_until(b"is stopped")
    assert person.restored()
    person.type("\n")
    person.wait_for("is stopped")
    person.wait_for("\x1b[?1049h")
    person.wait_for("resize")
    person.type("q")
    assert person.end(process) == 0
    assert person.restored()


def test_an_exception_leaves_the_terminal_as_it_was(person: Person) -> None:
    code = (
        "from gear_admin.cli.top import live\n"
        "def lines(self, now): raise RuntimeError('of a test')\n"
        "live.Screen.lines = lines\n"
        "live.show([], 1.0, 1.0)\n"
    )
    process = person.start([sys.executable, "-c", code])
    assert person.end(process) == 1
    assert b"RuntimeError: of a test" in person.seen
    assert person.restored()


@pytest.fixture
def here(person: Person, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    """Shows servers in this process, so that its coverage counts, while a person acts."""
    with os.fdopen(os.dup(person.keys), "r") as keys, os.fdopen(os.dup(person.keys), "w") as screen:

        def here(act: Callable[[], None], *words: str) -> int:
            # Not before: pytest has others for each phase of a test.
            monkeypatch.setattr(sys, "stdin", keys)
            monkeypatch.setattr(sys, "stdout", screen)
            monkeypatch.setenv("TERM", "xterm-256color")
            acting = threading.Thread(target=act)
            acting.start()
            code = run(admin, "gear-admin", ["top", "--interval", "0.1", *words])
            acting.join()
            return code

        yield here


def test_a_server_that_goes_and_comes_back(person: Person, start: Start, here: Here) -> None:
    geard = start()
    geard.ask("create function resize")
    port, dead = geard.port, free_port()

    def act() -> None:
        with running_job(port):
            person.wait_for("1 in trouble")
            person.wait_for("gone: Connection refused")
            person.wait_for("hold")
            person.type("w")
            person.wait_for("holder")
        person.type("s")
        person.wait_for("1.0.0")
        geard.kill()
        person.wait_for("2 in trouble")
        again = start("-p", str(port))
        person.wait_for("1 in trouble")
        again.kill()
        person.wait_for("2 in trouble")
        person.type("fq")

    assert here(act, *servers(port, dead)) == 0


@pytest.mark.peer
def test_a_gearmand_that_tells_less(person: Person, tmp_path: Path, here: Here) -> None:
    gearmand = Gearmand(tmp_path)

    def act() -> None:
        with running_job(gearmand.port):
            person.wait_for("hold")
            person.type("q")

    try:
        assert here(act, *servers(gearmand.port)) == 0
    finally:
        gearmand.stop()


def test_signals(person: Person, start: Start, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    geard = start()
    kill = os.kill
    stopped = threading.Event()
    # This process cannot stop; that a program does is tested above.
    monkeypatch.setattr("gear_admin.cli.top.live.os.kill", lambda process, number: stopped.set())

    def act() -> None:
        person.wait_for("function")
        kill(os.getpid(), signal.SIGTSTP)
        assert stopped.wait(60)
        person.wait_for("\x1b[?1049l")
        person.wait_for("function")
        kill(os.getpid(), signal.SIGTERM)

    assert here(act, *servers(geard.port)) == 128 + signal.SIGTERM


def test_a_terminal_that_goes(person: Person, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(terminal: Terminal) -> bytes:
        raise OSError(errno.EIO, "it is gone")

    monkeypatch.setattr(Terminal, "read", read)

    def act() -> None:
        person.wait_for("function")
        person.type("x")

    assert here(act, *servers(free_port())) == 128 + signal.SIGHUP


def test_a_server_that_says_nothing(person: Person) -> None:
    with scripted_server(lambda peer, message: None) as silent:
        assert isinstance(silent, ScriptedServer)
        process = person.start([*TOP, "--timeout", "0.5", *servers(silent.port)])
        person.wait_for("gone: no answer in 0.5 s")
        person.type("q")
        assert person.end(process) == 0


def test_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(admin, "gear-admin", ["top"]) == 2
    assert capsys.readouterr().err == (
        "gear-admin: top draws on a terminal; gear-admin status writes a table anywhere\n"
    )


def test_files_that_are_wrong(person: Person, tmp_path: object) -> None:
    files = [word for option in ("key", "cert", "ca") for word in (f"--ssl-{option}", __file__)]
    process = person.start([*TOP, *files, *servers(free_port())])
    assert person.end(process) == 2
    assert b"1049h" not in person.seen


@pytest.mark.parametrize("variable", [{}, {"NO_COLOR": "1"}])
def test_colours(person: Person, variable: dict[str, str]) -> None:
    process = person.start([*TOP, *servers(free_port())], variable)
    person.wait_until(b"q quit")
    person.wait_until(b"gone: ")
    person.type("q")
    assert person.end(process) == 0
    assert (b"31m" in person.seen) is not bool(variable)


class Tmux:
    """A terminal of tmux, with a program in it."""

    def __init__(self, columns: int, lines: int, command: list[str]) -> None:
        self._name = f"gear-{os.getpid()}"
        self._program = require_program("tmux", "tmux")
        size = ("-x", str(columns), "-y", str(lines))
        self.ask("-f", "/dev/null", "new-session", "-d", *size, *command)

    def ask(self, *words: str) -> str:
        done = subprocess.run(
            [self._program, "-L", self._name, *words], capture_output=True, text=True, check=True
        )
        return done.stdout

    def screen(self) -> list[str]:
        return self.ask("capture-pane", "-p").splitlines()

    def wait_for(self, text: str) -> list[str]:
        wait_until(lambda: any(text in line for line in self.screen()), f"{text} is not shown")
        return self.screen()

    def close(self) -> None:
        subprocess.run(
            [self._program, "-L", self._name, "kill-server"], capture_output=True, check=False
        )


@pytest.mark.peer
def test_in_a_real_terminal(start: Start, tmp_path: object) -> None:
    geard: Geard = start()
    geard.ask("create function resize")
    geard.ask(f"create function {'long' * 20}")
    tmux = Tmux(80, 24, [*TOP, *servers(geard.port, free_port())])
    try:
        screen = tmux.wait_for("resize")
        assert "2 servers, 1 in trouble" in screen[0]
        assert screen[1].endswith("gone: Connection refused")
        assert screen[2].split()[:3] == ["function", "queued", "▼"]
        assert screen[3].startswith("longlonglong")
        assert "…" in screen[3]
        # Numbers are below the ends of their heads, and nothing goes over the edge.
        ends = [len(line.rstrip()) for line in screen[2:5]]
        assert max(ends) == min(ends) <= 80
        assert screen[-1].startswith("q quit")
        tmux.ask("resize-window", "-x", "160", "-y", "40")
        wide = tmux.wait_for("long" * 20)
        assert len(wide) == 40
        tmux.ask("send-keys", "/", "res", "Enter")
        tmux.wait_for("only res")
        wait_until(lambda: not any("long" in line for line in tmux.screen()), "it is filtered")
        tmux.ask("resize-window", "-x", "40", "-y", "8")
        wait_until(lambda: len(tmux.screen()) == 8, "it is small")
        tmux.wait_for("resize")
    finally:
        tmux.close()
