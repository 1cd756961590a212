"""geard over TLS: who is refused is told, with the reason."""

import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from support.certificates import Authority, Files
from support.geard_program import HOST, Geard, wait_until

Start = Callable[..., Geard]
FEW, MANY = 10, 30


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Authority(tmp_path / "authority").issue(HOST, common_name="ours")


@pytest.fixture
def geard(start: Start, environ: dict[str, str], files: Files) -> Geard:
    return start(
        "--ssl-key", files.key, "--ssl-cert", files.cert, "--ssl-ca", files.ca, environ=environ
    )


def context(trusted: Files, shown: Files | None) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(trusted.ca)
    if shown is not None:
        made.load_cert_chain(shown.cert, shown.key)
    return made


def knock(geard: Geard, made: ssl.SSLContext) -> tuple[str, int]:
    """Begin TLS, and read until the server has closed the connection; returns our address."""
    with geard.connect() as sock:
        host, port = sock.getsockname()[:2]
        try:
            with made.wrap_socket(sock, server_hostname=HOST) as stream:
                while stream.recv(100):
                    pass
        except OSError:
            pass
    return host, port


def refused(geard: Geard, address: tuple[str, int], reason: str, level: str = "WARNING") -> None:
    """Wait for the line that tells of a refusal."""
    host, port = address
    geard.wait_for_log(
        rf"{level} gear\.Server: Refused TLS connection from {host} port {port}: {reason}"
    )


def test_a_client_without_a_certificate_is_told_of(geard: Geard, files: Files) -> None:
    address = knock(geard, context(files, None))
    refused(geard, address, "peer did not return a certificate$")


def test_a_client_of_another_authority_is_told_of(
    geard: Geard, files: Files, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other").issue(HOST)
    address = knock(geard, context(files, other))
    refused(geard, address, "the client's certificate is not accepted: unable to get local issuer")


def test_a_client_that_does_not_trust_the_server_is_told_of(
    geard: Geard, files: Files, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other").issue(HOST)
    address = knock(geard, context(other, files))
    refused(geard, address, "tlsv1 alert unknown ca$")


def test_a_client_that_speaks_no_tls_is_told_of(geard: Geard) -> None:
    with geard.connect() as sock:
        sock.sendall(b"\0REQ\0\0\0\x10\0\0\0\0")
        refused(geard, sock.getsockname()[:2], "the client does not speak TLS$")


def test_who_only_looks_whether_the_port_is_open_is_no_warning(geard: Geard) -> None:
    with geard.connect() as sock:
        address = sock.getsockname()[:2]
    refused(geard, address, ".+", level="INFO")


def test_refusals_cost_no_descriptor_and_few_lines(geard: Geard, files: Files) -> None:
    folder = Path(f"/proc/{geard.process.pid}/fd")
    knock(geard, context(files, None))  # what is opened once is opened now
    before = len(os.listdir(folder))
    for _ in range(MANY):
        knock(geard, context(files, None))
    wait_until(lambda: len(os.listdir(folder)) <= before, "it holds descriptors")
    with geard.connect() as sock:
        with context(files, files).wrap_socket(sock, server_hostname=HOST) as stream:
            stream.sendall(b"version\n")
            assert stream.recv(100).startswith(b"OK ")
    log = geard.stop()
    assert len(re.findall("Refused TLS connection from", log)) == FEW
    assert re.search(rf"Refused TLS connections: {MANY + 1 - FEW} more, not logged", log)
