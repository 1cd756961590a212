"""``gear-admin`` as a process: what each command writes and returns there."""

import json
import os
import subprocess
import sys
from pathlib import Path

from gear_admin.cli.commands import admin
from support.certificates import Authority
from support.fix_geard import Start
from support.geard_program import HOST

COMMAND = [sys.executable, "-W", "error", "-m", "gear_admin.cli.entry"]
WAIT = 30.0
OK, REFUSED, USAGE, _, TIMED_OUT = range(5)


def test_each_command(start: Start, tmp_path: Path) -> None:
    """But `top`, which is for a terminal."""
    authority = Authority(tmp_path / "authority")
    server, own = authority.issue(HOST), authority.issue("ops", common_name="ops")
    rights = tmp_path / "acl.ini"
    rights.write_text("[ops]\nregister = .*\ninvoke = .*\ngrant = yes\nadmin = yes\nsee = yes\n")
    geard = start(
        "--ssl-key", server.key, "--ssl-cert", server.cert, "--ssl-ca", server.ca,
        "--acl", str(rights),
    )  # fmt: skip
    tls = ("--ssl-key", own.key, "--ssl-cert", own.cert, "--ssl-ca", own.ca)
    tried: set[str] = set()

    def call(*words: str) -> tuple[int, str, str]:
        tried.add(words[0])
        done = subprocess.run(
            [*COMMAND, *words, *tls],
            env=os.environ | {"GEARMAN_SERVERS": f"{HOST}:{geard.port}"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    for words in (
        ("create", "resize"),
        ("maxqueue", "resize", "10"),
        ("jobtimeout", "resize", "60"),
        ("joblog", "resize", "on"),
        ("wait", "resize"),
        ("acl", "grant", "see", "web"),
    ):
        assert call(*words) == (OK, "", "")
    named = {"server": f"{HOST}:{geard.port}", "function": "resize"}
    code, out, err = call("status", "--json")
    assert (code, json.loads(out), err) == (
        OK, {**named, "queued": 0, "running": 0, "workers": 0}, "",
    )  # fmt: skip
    code, out, err = call("priorities", "resize", "--json")
    assert (code, json.loads(out), err) == (
        OK, {**named, "high": 0, "normal": 0, "low": 0, "workers": 0}, "",
    )  # fmt: skip
    assert call("workers", "--all")[1].splitlines()[0].split()[:2] == ["descriptor", "address"]
    assert call("jobs") == (OK, "handle  retries  ignored  background\n", "")
    for command in ("version", "ping"):
        code, out, err = call(command)
        assert (code, out.split()[0], err) == (OK, "server", "")
    assert call("stats", "resize")[1].splitlines()[-1].split()[:2] == ["resize", "0"]
    unknown = "gear-admin: no server has a job H:a:1 that can be cancelled\n"
    assert call("cancel", "H:a:1") == (REFUSED, "", unknown)
    assert call("drop", "resize") == (OK, "", "")
    assert call("ping", "--timeout", "0")[0] == TIMED_OUT
    assert call("maxqueue", "resize", "ten")[0] == USAGE
    assert tried == {*admin.commands} - {"top"}
