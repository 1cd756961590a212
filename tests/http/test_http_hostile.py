"""Requests that mean harm, or are made by faulty programs: refused, and no fault of ours."""

import contextlib
import socket

import pytest

import gear
from support.http_asking import ask
from support.http_jobs import WAIT

pytest_plugins = ["support.fix_http"]


def read_answer(sock: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    "path",
    [
        "functions?page=%ff",
        "functions?size=%ff",
        "jobs?state=%ff",
        "jobs?state=%ed%a0%80",
        "workers?page=%ff",
        "connections?size=%ff",
        "events?page=%ff",
    ],
)
def test_a_parameter_that_is_not_utf8_is_refused(
    http_server: gear.Server, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    answer = ask(http_server.http_port, f"/api/v1/{path}")
    assert answer.detail(400).startswith("a parameter is wrong")
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("POST /jobs/wrong", b"400"),
        ("POST /api/v1/functions/none/maxqueue", b"400"),
        ("GET /healthz", b"200"),  # it looks at no body
    ],
)
def test_a_body_that_is_not_what_its_headers_say_is_the_clients_fault(
    http_server: gear.Server, caplog: pytest.LogCaptureFixture, line: str, status: bytes
) -> None:
    lines = [
        f"{line} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        "Content-Type: application/json",
        "Content-Encoding: gzip",
        "Content-Length: 3",
    ]
    with socket.create_connection(("127.0.0.1", http_server.http_port), WAIT) as sock:
        sock.sendall("\r\n".join([*lines, "", "abc"]).encode())
        assert read_answer(sock).split(b" ", 2)[1] == status
    assert not [record for record in caplog.records if record.exc_info]
