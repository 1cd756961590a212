"""geard and the limit of open files: what happens when it is reached, and what it says before."""

import re
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from support.certificates import Authority
from support.geard_program import HOST, TIMEOUT, Geard

Start = Callable[..., Geard]
FEW = 40
SHORT = 0.3
"""Seconds to look whether nothing comes."""


def answers(sock: socket.socket, timeout: float = TIMEOUT) -> bool:
    """Return whether a connection is served, rather than waiting; it must not be closed."""
    sock.settimeout(timeout)
    sock.sendall(b"version\n")
    try:
        data = sock.recv(100)
    except TimeoutError:
        return False
    assert data.startswith(b"OK "), "it was closed"
    return True


def crowd(geard: Geard) -> tuple[list[socket.socket], list[socket.socket]]:
    """Connect until the process has no descriptor left, and further.

    Returns:
        The connections that it accepted, and three that wait.
    """
    socks = [geard.connect() for _ in range(FEW)]
    geard.wait_for_log(
        r"ERROR gear\.Server: Cannot accept connections: Too many open files; \d+ are open, and "
        "new ones wait until others are closed$"
    )
    found = re.search(r"files; (\d+) are open", geard.log.read_text())
    assert found is not None
    number = int(found[1])
    for sock in socks[number + 3 :]:
        sock.close()
    return socks[:number], socks[number : number + 3]


def test_without_descriptors_accepting_pauses_and_goes_on(
    start: Start, environ: dict[str, str]
) -> None:
    geard = start("-f", str(FEW), environ=environ)
    served, waiting = crowd(geard)
    assert all(map(answers, served))
    assert not any(answers(sock, SHORT) for sock in waiting)
    assert all(map(answers, served))
    for sock in served[:3]:
        sock.close()
    for sock in waiting:
        sock.settimeout(TIMEOUT)
        assert sock.recv(100).startswith(b"OK ")
    geard.wait_for_log(r"WARNING gear\.Server: Accepting connections again$")
    for sock in served + waiting:
        sock.close()
    assert geard.ask("version").startswith("OK ")
    assert len(re.findall("Cannot accept", geard.stop())) < 5


def test_without_descriptors_tls_connections_wait_too(
    start: Start, environ: dict[str, str], tmp_path: Path
) -> None:
    files = Authority(tmp_path / "authority").issue(HOST)
    tls = ("--ssl-key", files.key, "--ssl-cert", files.cert, "--ssl-ca", files.ca)
    geard = start("-f", str(FEW), *tls, environ=environ)
    handshaking, waiting = crowd(geard)
    for sock in handshaking[:3]:
        sock.close()
    geard.wait_for_log("Accepting connections again")
    for sock in handshaking + waiting:
        sock.close()
    geard.stop()


def open_files(geard: Geard) -> tuple[int, int]:
    """Return the limits of open files of a geard's process."""
    return resource.prlimit(geard.process.pid, resource.RLIMIT_NOFILE)


def test_it_may_open_as_many_files_as_its_connections_need(start: Start) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    prefix = ["sh", "-c", 'ulimit -Sn 100; exec "$@"', "sh"]
    geard = start("--max-connections", "200", prefix=prefix)
    assert open_files(geard) == (264, hard)
    assert "connections can be open" not in geard.stop()


def test_too_few_open_files_are_told_at_the_start(start: Start) -> None:
    prefix = ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh"]
    geard = start("--max-connections", "200", prefix=prefix)
    assert open_files(geard) == (100, 100)
    geard.wait_for_log(
        r"WARNING gear\.Server: Only about 36 connections can be open, not 200 "
        r"\(max_connections\): the limit of open files is 100; raise it by --file-descriptors or "
        "in the system$"
    )


@pytest.mark.parametrize("number", ["200", "70"])
def test_open_files_that_were_asked_for_stay_as_they_are(start: Start, number: str) -> None:
    geard = start("--max-connections", "100", "-f", number)
    assert open_files(geard)[0] == int(number)
    assert ("Only about 6 connections" in geard.stop()) is (number == "70")
