"""Whose rights a process has; each in a process of its own, that can lose them."""

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest

IMPORTS = "import os, pwd, resource\nfrom gear_server.geard import privileges\n"
CAP_SYS_RESOURCE = 24
NOBODY = pwd.getpwnam("nobody")
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", IMPORTS + code],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@ROOT
def test_the_rights_of_root_are_gone_for_good() -> None:
    done = run(
        "privileges.become('nobody')\n"
        "print(os.getresuid(), os.getresgid(), os.getgroups())\n"
        "try: os.setuid(0)\n"
        "except PermissionError: print('gone')\n"
    )
    uid, gid = NOBODY.pw_uid, NOBODY.pw_gid
    groups = sorted(os.getgrouplist("nobody", gid))
    assert done.stdout == f"{(uid,) * 3} {(gid,) * 3} {groups}\ngone\n", done.stderr


def test_an_unknown_user_is_named() -> None:
    assert "ConfigurationError: no such user: no-such-user" in run(
        "privileges.become('no-such-user')"
    ).stderr  # fmt: skip


def test_only_root_can_become_another() -> None:
    leave_root = f"os.setuid({NOBODY.pw_uid})\n" if os.geteuid() == 0 else ""
    done = run(f"{leave_root}privileges.become('nobody')")
    assert "ConfigurationError: only root can switch to user nobody" in done.stderr


def test_fewer_descriptors_can_be_had_by_all() -> None:
    done = run(
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "privileges.allow_descriptors(64)\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) == (64, hard)\n"
    )
    assert done.returncode == 0, done.stderr


def may_raise_limits() -> bool:
    status = Path("/proc/self/status")
    found = re.search(r"^CapEff:\s*(\w+)$", status.read_text(), re.M) if status.exists() else None
    return found is not None and bool(int(found[1], 16) >> CAP_SYS_RESOURCE & 1)


@pytest.mark.skipif(not may_raise_limits(), reason="this root may not raise its limits")
def test_root_can_have_more_than_the_limit() -> None:
    done = run(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "privileges.allow_descriptors(128)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )
    assert done.stdout == "(128, 128)\n", done.stderr


def test_more_than_there_may_be_is_refused() -> None:
    done = run("privileges.allow_descriptors(1 << 30)")
    assert (
        f"ConfigurationError: cannot set the limit of file descriptors to {1 << 30}: "
        in done.stderr
    )
