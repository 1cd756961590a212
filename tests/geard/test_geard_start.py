"""How geard starts, and what it says when it cannot."""

import os
import pwd
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.certificates import Authority
from support.geard_program import HOST, PROGRAM, TIMEOUT, Geard, error_of, run_geard

Start = Callable[..., Geard]
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_it_says_where_it_is_for_as_long_as_it_runs(start: Start) -> None:
    geard = start()
    assert geard.pid_file.read_text() == f"{geard.process.pid}\n"
    assert geard.ask("getpid") == f"OK {geard.process.pid}"
    geard.wait_for_log(rf"NOTICE gear\.Server: geard .* listening on {HOST} port {geard.port}$")
    geard.stop()
    assert not geard.pid_file.exists()
    assert not geard.port_file.exists()
    assert geard.errors == ""


def test_a_port_in_use_is_told_and_harms_nobody(start: Start) -> None:
    geard = start()
    error = error_of(
        "-d", "-L", HOST, "-p", str(geard.port), "-P", str(geard.pid_file),
        "--port-file", str(geard.port_file),
    )  # fmt: skip
    assert error == f"cannot listen on {HOST} port {geard.port}: Address already in use"
    assert geard.pid_file.read_text() == f"{geard.process.pid}\n"
    assert geard.ask("getpid") == f"OK {geard.process.pid}"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["-p", "70000"], "port must be a number from 0 to 65535 or the name of a service, not "),
        (["-q", "mysql"], "-q mysql is not supported: jobs are kept in memory, in a file"),
        (["--job-retries", "300"], "job-retries must be -1 (no limit), 0 (no retries), or between"),
        (["--verbose", "LOUD"], "verbose must be one of ALERT, CRITICAL, DEBUG, ERROR, FATAL, "),
        (["--port-file", "/"], "cannot write /: Is a directory"),
        (["--pid-file", "/etc/passwd/pid"], "cannot write /etc/passwd/pid: Not a directory"),
        (["--log-file", "/"], "cannot log to /: Is a directory"),
        (["-L", "192.0.2.1"], "cannot listen on 192.0.2.1 port 0: Cannot assign requested address"),
        (["-L", "a.invalid"], "cannot listen on a.invalid: "),
        (["--statsd-host", "a.invalid"], "cannot find the statsd server a.invalid: "),
        (["--prot", "1"], "unrecognized arguments: --prot 1; see geard --help"),
        (["--back", "1"], "unrecognized arguments: --back 1; see geard --help"),
        (["--nope"], "unrecognized arguments: --nope; see geard --help"),
        (
            ["--ssl"],
            "TLS requires --ssl-key, --ssl-cert, --ssl-ca; missing: --ssl-key, --ssl-cert, ",
        ),
        (["--acl", "file"], "--acl requires TLS: it applies to the names in client certificates"),
        (["--config", "/none.toml"], "cannot read the configuration file /none.toml: "),
        (["--user", "no-such-user"], "no such user: no-such-user"),
        (["-f", str(1 << 30)], f"cannot set the limit of file descriptors to {1 << 30}: "),
        (["--log-file", "/none/log"], "cannot log to /none/log: No such file or directory"),
        (["--log-config", "/none.ini"], "--log-config /none.ini: No such file or directory"),
        (["--pid-file", "/none/pid"], "cannot write /none/pid: No such file or directory"),
        (["--port-file", "/none/port"], "cannot write /none/port: No such file or directory"),
    ],
)
@pytest.mark.parametrize("how", [[], ["--check-args"]], ids=["start", "check"])
def test_what_is_wrong_is_told_in_one_line(options: list[str], error: str, how: list[str]) -> None:
    assert error_of("-d", "-p", "0", "-L", HOST, *how, *options).startswith(error)


def test_check_args_starts_nothing(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    done = run_geard("--check-args", "-p", "0", "--port-file", str(port_file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not port_file.exists()


def test_check_args_does_not_mind_the_server_that_runs(start: Start) -> None:
    geard = start()
    done = run_geard(
        "--check-args", "-d", "-p", str(geard.port), "-L", HOST, "-P", str(geard.pid_file),
        "--port-file", str(geard.port_file), "-l", str(geard.log),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert geard.pid_file.read_text() == f"{geard.process.pid}\n"
    assert geard.ask("getpid") == f"OK {geard.process.pid}"


@ROOT
@pytest.mark.parametrize("how", [[], ["--check-args"]], ids=["start", "check"])
@pytest.mark.parametrize(
    ("option", "words"), [("--log-file", "log to"), ("--pid-file", "write"), ("--acl", "read")]
)
def test_files_are_those_of_the_user_that_it_becomes(
    tmp_path: Path, how: list[str], option: str, words: str
) -> None:
    authority = Authority(tmp_path)
    server = authority.issue(HOST)
    tls = ["--ssl-key", server.key, "--ssl-cert", server.cert, "--ssl-ca", server.ca]
    path = tmp_path / "of-root"
    path.touch(mode=0o600)
    tmp_path.chmod(0o700)
    error = error_of(
        "-d", "-p", "0", "-L", HOST, "-u", "nobody", *how,
        *(tls if option == "--acl" else []), option, str(path),
    )  # fmt: skip
    assert "Permission denied" in error or "there is no file" in error


def test_options_without_effect_are_noted(start: Start) -> None:
    log = start("--round-robin", "-t", "4", "--queue-type", "builtin").stop()
    assert "NOTICE gear.Server: --round-robin is ignored: " in log
    assert "NOTICE gear.Server: -t is ignored: " in log


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[list[str]]:
    """Options for a daemon, which does not outlive the test even if that fails."""
    pid_file = tmp_path / "pid"
    yield ["-p", "0", "-L", HOST, "-P", str(pid_file), "--port-file", str(tmp_path / "port"),
           "-l", str(tmp_path / "log")]  # fmt: skip
    if pid_file.exists():
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


def test_without_d_it_goes_to_the_background_and_returns_when_it_listens(
    daemons: list[str], tmp_path: Path
) -> None:
    done = run_geard(*daemons)
    process = int((tmp_path / "pid").read_text())
    ended = os.pidfd_open(process)
    try:
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        socket.create_connection((HOST, int((tmp_path / "port").read_text())), TIMEOUT).close()
        assert os.getsid(process) not in (process, os.getsid(0))
        streams = [os.readlink(f"/proc/{process}/fd/{number}") for number in range(3)]
        assert streams == ["/dev/null"] * 3
        os.kill(process, signal.SIGTERM)
        assert select.select([ended], [], [], TIMEOUT)[0]
        assert not (tmp_path / "pid").exists()
        assert "geard stopped" in (tmp_path / "log").read_text()
    finally:
        os.close(ended)


def test_a_daemon_that_cannot_start_says_so_to_who_started_it(daemons: list[str]) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        error = error_of(*daemons, "-p", str(port))
    assert error == f"cannot listen on {HOST} port {port}: Address already in use"


def free_privileged_port() -> int:
    for port in range(600, 1024):
        try:
            socket.create_server((HOST, port)).close()
        except OSError:
            continue
        return port
    pytest.skip("this process may not have a port under 1024")


@ROOT
def test_it_becomes_a_user_after_binding(start: Start, folder_of_nobody: Path) -> None:
    port = free_privileged_port()
    geard = start("-u", "nobody", "-p", str(port), folder=folder_of_nobody)
    assert geard.port == port
    nobody = pwd.getpwnam("nobody")
    status = Path(f"/proc/{geard.process.pid}/status").read_text()
    ids = {
        name: set(values.split()) for name, values in re.findall(r"^(\w+):\s(.*)$", status, re.M)
    }
    assert ids["Uid"] == {str(nobody.pw_uid)}
    assert ids["Gid"] == {str(nobody.pw_gid)}
    groups = os.getgrouplist("nobody", nobody.pw_gid)
    assert ids["Groups"] == set(map(str, groups))
    for task in Path(f"/proc/{geard.process.pid}/task").iterdir():
        assert f"Uid:\t{nobody.pw_uid}" in (task / "status").read_text()
    for file in (geard.pid_file, geard.port_file, geard.log):
        assert file.stat().st_uid == nobody.pw_uid
    geard.stop()
    assert not geard.pid_file.exists()


def test_file_descriptors_are_limited(start: Start) -> None:
    geard = start("--file-descriptors", "64")
    limits = Path(f"/proc/{geard.process.pid}/limits").read_text()
    assert re.search(r"^Max open files +64 ", limits, re.M)


def test_the_environment_gives_the_port(start: Start) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        error = error_of("-d", "-L", HOST, environ={"GEARMAND_PORT": str(port)})
    assert error == f"cannot listen on {HOST} port {port}: Address already in use"
    assert start(environ={"GEARMAND_PORT": "x"}).port > 0  # as -p is given


def test_a_port_file_may_be_a_pipe(tmp_path: Path) -> None:
    command = ["-d", "-p", "0", "-L", HOST, "-l", "none", "--port-file", "/dev/stdout"]
    with subprocess.Popen([PROGRAM, *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert Path("/dev/stdout").is_symlink()


def loads(geard: Geard, module: str) -> bool:
    return module in Path(f"/proc/{geard.process.pid}/maps").read_text()


def test_without_uvloop_it_runs_on_asyncio(start: Start, tmp_path: Path) -> None:
    (tmp_path / "uvloop.py").write_text("raise ImportError")
    geard = start(environ={"PYTHONPATH": str(tmp_path)})
    assert not loads(geard, "uvloop")
    assert geard.ask("version").startswith("OK ")
    geard.stop()


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="uvloop is for CPython")
def test_it_runs_on_uvloop(start: Start) -> None:
    geard = start()
    assert loads(geard, "uvloop")
    geard.stop()
