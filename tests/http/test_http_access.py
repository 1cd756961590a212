"""Who may ask over HTTP: tokens, rights, other sites, and what every answer tells a browser."""

import re
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from gear_server.http import bodies, connection
from gear_server.settings import ServerSettings
from support.certificates import Authority, Files
from support.fix_geard import Start
from support.geard_program import error_of, wait_until
from support.http_asking import Answer, ask, http_port_of

pytest_plugins = ["support.fix_http"]

FUNCTIONS = "/api/v1/functions"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("secret\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def guarded(token_file: Path) -> Iterator[gear.Server]:
    settings = ServerSettings(http="0", http_token_file=str(token_file))
    with gear.Server(0, host="127.0.0.1", settings=settings) as server:
        yield server


def test_a_token_is_needed_where_there_is_one(guarded: gear.Server) -> None:
    port = guarded.http_port
    missing = ask(port, FUNCTIONS)
    assert "--http-token-file" in missing.detail(401)
    assert missing.headers["www-authenticate"] == 'Bearer realm="geard"'
    for wrong in ("Bearer other", "Bearer", "Basic secret", "secret", "Bearer secret secret"):
        answer = ask(port, FUNCTIONS, headers={"Authorization": wrong})
        assert answer.detail(401) == "the token is wrong"
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    for right in ("Bearer secret", "bearer  secret"):
        assert ask(port, FUNCTIONS, headers={"Authorization": right}).status == 200
    # What is there is not told either.
    assert ask(port, "/nothing").status == 401
    assert ask(port, f"{FUNCTIONS}/none/maxqueue", "POST", b"{}").status == 401
    for probe in ("/healthz", "/readyz"):
        assert ask(port, probe).status == 200


def test_a_token_is_read_again_on_sighup(token_file: Path, start: Start) -> None:
    geard = start("--http", "0", "--http-token-file", str(token_file))
    port = http_port_of(geard)
    assert ask(port, FUNCTIONS, headers=bearer("secret")).status == 200
    token_file.write_text("")
    geard.signal(signal.SIGHUP)
    geard.wait_for_log("Reload failed: the file of the token for HTTP, .* is empty")
    assert ask(port, FUNCTIONS, headers=bearer("secret")).status == 200
    token_file.write_text("another")
    geard.signal(signal.SIGHUP)
    wait_until(
        lambda: ask(port, FUNCTIONS, headers=bearer("another")).status == 200, "token not read"
    )
    assert ask(port, FUNCTIONS, headers=bearer("secret")).status == 401


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        ("", 0o600, "is empty"),
        ("two words", 0o600, "a token for HTTP is letters, digits"),
        ("gr\u00fcn", 0o600, "a token for HTTP is letters, digits"),
        ("secret", 0o604, "everyone on this machine may read the token"),
        (None, 0, "cannot read the token for HTTP, .*: No such file or directory"),
    ],
)
def test_a_token_that_cannot_be_used_is_told_at_the_start(
    tmp_path: Path, content: str | None, mode: int, says: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content, encoding="utf-8")
        path.chmod(mode)
    options = ("-p", "0", "--http", "0", "--http-token-file", str(path))
    for more in ([], ["--check-args"]):
        assert re.search(says, error_of(*options, *more))


def test_a_token_without_http_is_told_at_the_start(token_file: Path) -> None:
    says = error_of("-p", "0", "--http-token-file", str(token_file))
    assert says == "--http-token-file is of use only with --http"


# Other sites


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://{own}"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[::"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        # A proxy may change the header Host: what the browser says of itself counts more.
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://gear.example"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]"}, 200),
        ({"Host": "127.0.0.2"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost.evil.example:4731"}, 421),
        ({"Host": "10.0.0.1"}, 421),
        ({"Host": "["}, 421),
    ],
)
def test_requests_of_other_sites_are_refused(
    http_server: gear.Server, headers: dict[str, str], status: int
) -> None:
    own = f"127.0.0.1:{http_server.http_port}"
    given = {name: value.format(own=own) for name, value in headers.items()}
    answer = ask(http_server.http_port, FUNCTIONS, headers=given)
    assert answer.status == status
    assert "access-control-allow-origin" not in answer.headers


def test_a_link_to_what_is_open_to_all_may_be_followed(http_server: gear.Server) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ask(http_server.http_port, "/healthz", headers=link).status == 200
    link["Sec-Fetch-Mode"] = "no-cors"
    assert ask(http_server.http_port, "/healthz", headers=link).status == 403


def test_a_server_of_all_addresses_may_have_any_name() -> None:
    with gear.Server(0, settings=ServerSettings(http=":0")) as server:
        headers = {"Host": "gear.example"}
        assert ask(server.http_port, FUNCTIONS, headers=headers).status == 200


@pytest.mark.parametrize("path", ["/healthz", FUNCTIONS, "/nothing", f"{FUNCTIONS}?size=0"])
def test_every_answer_tells_browsers_to_be_careful(http_server: gear.Server, path: str) -> None:
    headers = ask(http_server.http_port, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["server"] == "geard"


# Methods, bodies and time


def test_methods_are_those_of_http(http_server: gear.Server) -> None:
    port = http_server.http_port
    head = ask(port, FUNCTIONS, "HEAD")
    assert head.status == 200 and head.body == b"" and int(head.headers["content-length"]) > 0
    options = ask(port, FUNCTIONS, "OPTIONS")
    assert options.status == 204 and options.headers["allow"] == "GET,HEAD"
    wrong = ask(port, FUNCTIONS, "DELETE")
    assert wrong.detail(405) == f"DELETE is not for {FUNCTIONS}, but GET, HEAD"
    assert wrong.headers["allow"] == "GET,HEAD"
    assert ask(port, f"{FUNCTIONS}/one/maxqueue", "OPTIONS").headers["allow"] == "GET,HEAD,POST"


def maxqueue(
    server: gear.Server, name: str, body: bytes, content_type: str | None = "application/json"
) -> Answer:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return ask(server.http_port, f"{FUNCTIONS}/{name}/maxqueue", "POST", body, headers)


def test_the_limits_of_a_queue_are_set(http_server: gear.Server, http_client: gear.Client) -> None:
    http_client.submitJob(gear.Job("a/maxqueue", b""), background=True)
    done = maxqueue(http_server, "a/maxqueue", b'{"high": 3, "normal": 2, "low": 1}')
    assert done.status == 204
    row = ask(http_server.http_port, f"{FUNCTIONS}/a/maxqueue").json()
    assert row["limits"] == {"high": 3, "normal": 2, "low": 1}
    http_client.submitJob(gear.Job("a/maxqueue", b""), background=True)
    with pytest.raises(gear.GearmanError, match="Job queue is full"):
        http_client.submitJob(gear.Job("a/maxqueue", b""), background=True)
    assert ask(http_server.http_port, f"{FUNCTIONS}/a/maxqueue").json()["refused"] == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status", "says"),
    [
        (b"{}", "application/json", 400, "missing required field `high`"),
        (b'{"high": -1, "normal": 0, "low": 0}', "application/json", 400, "`$.high`"),
        (b'{"high": 1, "normal": 0, "low": 0, "x": 1}', "application/json", 400, "field `x`"),
        (b"\xff", "application/json", 400, "the body is wrong"),
        (b"", "application/json", 400, "the body is wrong"),
        (b"{}", "text/plain", 415, "Content-Type: application/json"),
        (b"{}", "application/x-www-form-urlencoded", 415, "Content-Type: application/json"),
        (b"{}", None, 415, "Content-Type: application/json"),
        (b" " * (bodies.LARGEST + 1), "application/json", 413, "more than 65536 bytes"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(
    http_server: gear.Server,
    http_client: gear.Client,
    body: bytes,
    content_type: str | None,
    status: int,
    says: str,
) -> None:
    http_client.submitJob(gear.Job("one", b""), background=True)
    assert says in maxqueue(http_server, "one", body, content_type).detail(status)
    assert maxqueue(http_server, "none", b'{"high": 3, "normal": 2, "low": 1}').status == 404


def cancel(server: gear.Server, handle: bytes, body: bytes | None = None) -> Answer:
    return ask(server.http_port, f"/api/v1/jobs/{handle.decode()}/cancel", "POST", body)


def test_jobs_are_cancelled(
    http_server: gear.Server, http_client: gear.Client, http_worker: gear.Worker
) -> None:
    http_worker.registerFunction("one")
    first, second = gear.Job("one", b""), gear.Job("one", b"")
    http_client.submitJob(first)
    http_worker.getJob()
    http_client.submitJob(second)
    assert first.handle is not None and second.handle is not None
    for job in (first, second):
        assert job.handle is not None
        assert cancel(http_server, job.handle, b"x").detail(400) == "this request has no body"
        assert cancel(http_server, job.handle).status == 204
    assert job_has_failed(second) and job_has_failed(first)
    assert "there is no job" in cancel(http_server, second.handle).detail(404)


def job_has_failed(job: gear.Job) -> bool:
    wait_until(lambda: job.complete, "the client hears nothing")
    return job.failure


def test_a_running_job_stays_where_only_queued_ones_are_cancelled() -> None:
    settings = ServerSettings(http="0")
    with (
        gear.Server(0, host="127.0.0.1", settings=settings) as server,
        gear.Client() as client,
        gear.Worker("me") as worker,
    ):
        for each in (client, worker):
            each.addServer("127.0.0.1", server.port)
            each.waitForServer()
        worker.registerFunction("one")
        job = gear.Job("one", b"")
        client.submitJob(job)
        worker.getJob()
        assert job.handle is not None
        assert "cancels only jobs that wait" in cancel(server, job.handle).detail(409)


def send(server: gear.Server, data: bytes, seconds: float) -> bytes:
    """Send bytes, and return what comes until the server closes, within some seconds."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.http_port), 30) as sock:
        sock.settimeout(seconds)
        sock.sendall(data)
        while part := sock.recv(65536):
            received += part
    return received


def test_what_is_not_http_is_refused(http_server: gear.Server) -> None:
    answer = send(http_server, b"\0REQ\0\0\0\x10\0\0\0\0" + b"\r\n\r\n", 30)
    assert answer.startswith(b"HTTP/1.0 400 ") or answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer and b"nosniff" in answer
    answer = send(http_server, b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000 + b"\r\n\r\n", 30)
    assert b" 400 " in answer.split(b"\r\n")[0]


@pytest.mark.parametrize("data", [b"", b"GET /healthz HT"])
def test_who_does_not_finish_a_request_is_dropped(
    monkeypatch: pytest.MonkeyPatch, http_server: gear.Server, data: bytes
) -> None:
    monkeypatch.setattr(connection, "HEAD_TIMEOUT", 0.1)
    send(http_server, data, 30)  # raises TimeoutError unless it is closed
    assert ask(http_server.http_port, "/healthz").status == 200


def test_who_does_not_finish_a_second_request_is_dropped(
    monkeypatch: pytest.MonkeyPatch, http_server: gear.Server
) -> None:
    with socket.create_connection(("127.0.0.1", http_server.http_port), 30) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sock.recv(65536).endswith(b"alive\n")
        monkeypatch.setattr(connection, "HEAD_TIMEOUT", 0.1)
        sock.sendall(b"GET /")
        assert sock.recv(65536) == b""


def test_a_body_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, http_server: gear.Server
) -> None:
    monkeypatch.setattr(bodies, "TIMEOUT", 0.1)
    monkeypatch.setattr(connection, "LINGER", 0.1)
    head = f"POST {FUNCTIONS}/one/maxqueue HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
    head += "Content-Type: application/json\r\n\r\n"
    answer = send(http_server, head.encode() + b"{", 30)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_who_does_not_read_is_dropped(
    monkeypatch: pytest.MonkeyPatch, http_server: gear.Server
) -> None:
    monkeypatch.setattr(connection, "READ_TIMEOUT", 0.1)
    request = b"GET /api/v1/server HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", http_server.http_port), 30) as sock:
        sock.settimeout(30)
        with pytest.raises(ConnectionError):
            while True:
                sock.sendall(request * 100)


# TLS and the access control list


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def context_of(files: Files) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.ca)
    context.load_cert_chain(files.cert, files.key)
    return context


def test_rights_are_those_of_the_list(authority: Authority) -> None:
    host = authority.issue("localhost", common_name="server")
    acl = gear.ACL()
    acl.add(gear.ACLEntry("seer", see=True))
    acl.add(gear.ACLEntry("invoker", invoke="mine"))
    acl.add(gear.ACLEntry("admin", admin=True))
    contexts = {
        name: context_of(authority.issue(common_name=name))
        for name in ("seer", "invoker", "admin", "stranger")
    }
    with gear.Server(
        0, *host, host="127.0.0.1", acl=acl, settings=ServerSettings(http="0")
    ) as server, gear.Client() as client:  # fmt: skip
        invoker = authority.issue(common_name="invoker")
        client.addServer("localhost", server.port, *invoker)
        client.waitForServer()
        job = gear.Job("mine", b"")
        client.submitJob(job, background=True)
        assert job.handle is not None
        one = f"/api/v1/jobs/{job.handle.decode()}"
        limits = b'{"high": 3, "normal": 2, "low": 1}'
        headers = {"Content-Type": "application/json"}

        def status(name: str, path: str, method: str = "GET", body: bytes | None = None) -> int:
            more = headers if body else {}
            answer = ask(server.http_port, path, method, body, more, contexts[name])
            if answer.status == 403:
                assert f"by the access control list, '{name}' may not" in answer.detail(403)
            return answer.status

        for path in (FUNCTIONS, "/api/v1/server", "/api/v1/workers", "/api/v1/connections"):
            assert [status(name, path) for name in contexts] == [200, 403, 403, 403]
        assert status("stranger", "/healthz") == 200
        assert [status(name, one) for name in contexts] == [200, 200, 404, 403]
        change = f"{FUNCTIONS}/mine/maxqueue"
        changed = {name: status(name, change, "POST", limits) for name in contexts}
        assert changed == {"seer": 403, "invoker": 403, "admin": 204, "stranger": 403}
        assert status("seer", f"{one}/cancel", "POST") == 403
        assert status("stranger", f"{one}/cancel", "POST") == 403
        assert status("invoker", f"{one}/cancel", "POST") == 204


def test_certificates_are_asked_for_and_reread(
    authority: Authority, tmp_path: Path, start: Start
) -> None:
    files = authority.issue("localhost")
    mine = authority.issue(common_name="me")
    options = ("--ssl-key", files.key, "--ssl-cert", files.cert, "--ssl-ca", files.ca)
    geard = start("--http", "0", "--ssl", *options)
    port = http_port_of(geard)
    assert ask(port, "/healthz", context=context_of(mine)).status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(port, "/healthz", context=ssl.create_default_context(cafile=files.ca))
    with pytest.raises(ConnectionError):
        ask(port, "/healthz")
    other = Authority(tmp_path / "other").issue("localhost")
    for path, fresh in zip(files, other, strict=True):
        Path(path).write_bytes(Path(fresh).read_bytes())
    geard.signal(signal.SIGHUP)
    geard.wait_for_log("Reloaded")
    assert ask(port, "/healthz", context=context_of(other)).status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(port, "/healthz", context=context_of(mine))
