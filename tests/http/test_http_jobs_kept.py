"""Jobs over HTTP under the rights of certificates, with a durable queue, and gearmand's defects."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from gear_server.settings import ServerSettings
from support.certificates import Authority, Files
from support.http_asking import ask
from support.http_jobs import WAIT, Request


def context_of(files: Files) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.ca)
    context.load_cert_chain(files.cert, files.key)
    return context


def test_the_certificate_decides_which_functions_may_be_invoked(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    acl = gear.ACL()
    acl.add(gear.ACLEntry("invoker", invoke="mine"))
    acl.add(gear.ACLEntry("other", invoke="other"))
    mine, other = (context_of(authority.issue(common_name=name)) for name in ("invoker", "other"))
    host = authority.issue("localhost")
    with gear.Server(
        0, *host, host="127.0.0.1", acl=acl, settings=ServerSettings(http="0")
    ) as server:
        port = server.http_port
        answer = ask(port, "/jobs/mine?background", "POST", b"", context=mine)
        assert answer.status == 202
        where = answer.headers["location"]
        assert ask(port, where, context=mine).status == 200
        assert ask(port, where, context=other).status == 404
        refused = ask(port, "/jobs/mine?background", "POST", b"", context=other)
        assert "PERMISSION_DENIED" in refused.detail(403)
        assert len(server.jobs) == 1


def test_an_accepted_job_survives_the_server(tmp_path: Path) -> None:
    kept = ServerSettings(http="0", queue=f"sqlite:{tmp_path / 'queue'}")
    with gear.Server(0, host="127.0.0.1", settings=kept) as server:
        answer = ask(server.http_port, "/jobs/later?background", "POST", b"kept")
        assert answer.status == 202
    with gear.Server(0, host="127.0.0.1", settings=kept) as server:
        where = answer.headers["location"]
        assert ask(server.http_port, where).json()["handle"] == answer.json()["handle"]
        (job,) = server.jobs.values()
        assert job.arguments == b"kept"


@pytest.fixture
def as_gearmand() -> Iterator[gear.Server]:
    settings = ServerSettings(gearmand_http=0)
    with gear.Server(0, host="127.0.0.1", settings=settings) as server:
        yield server


def test_data_comes_before_the_result(as_gearmand: gear.Server) -> None:
    with gear.Worker("a worker") as worker:
        worker.addServer("127.0.0.1", as_gearmand.port)
        worker.waitForServer()
        worker.registerFunction("parts")
        with Request(as_gearmand.gearmand_http_port, "/parts") as request:
            job = worker.getJob()
            job.sendWorkStatus(1, 2)
            job.sendWorkWarning(b"not shown")
            job.sendWorkData(b"PART")
            job.sendWorkComplete(b"END")
            answer = request.answer()
    assert (answer.status, answer.body) == (200, b"PARTEND")
    assert answer.headers["content-length"] == "7"


def test_a_client_that_leaves_abandons_its_job(as_gearmand: gear.Server) -> None:
    with Request(as_gearmand.gearmand_http_port, "/f"):
        assert as_gearmand.waitFor(lambda: len(as_gearmand.jobs) == 1, WAIT)
    assert as_gearmand.waitFor(lambda: not as_gearmand.jobs, WAIT)


def test_trace_sends_the_request_back_without_secrets(as_gearmand: gear.Server) -> None:
    headers = {"X-Mine": "1", "Authorization": "Bearer secret"}
    answer = ask(as_gearmand.gearmand_http_port, "/f", "TRACE", headers=headers)
    assert answer.headers["content-type"] == "message/http"
    assert answer.body.startswith(b"TRACE /f HTTP/1.1\r\n")
    assert b"X-Mine: 1\r\n" in answer.body
    assert b"secret" not in answer.body


def test_other_methods_are_405(as_gearmand: gear.Server) -> None:
    answer = ask(as_gearmand.gearmand_http_port, "/f", "DELETE")
    assert "DELETE is not for /f" in answer.detail(405)
    assert "POST" in answer.headers["allow"]
