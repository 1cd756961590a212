"""Jobs over HTTP in gearmand's own form: the same requests to gearmand and to geard.

What gearmand's own tests of it ask for is here, and what its source says beside: every method,
background, uniques, precedence, and failure.
"""

import http.client
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

import gear
from support.fix_peers import Gearmand, free_port
from support.geard_program import Geard
from support.http_asking import Answer

WAIT = 30.0


class Asker:
    """Asks a server that takes jobs over HTTP as gearmand does; each request in a thread.

    Attributes:
        port: Where it speaks Gearman.
        http_port: Where it speaks HTTP.
    """

    def __init__(self, port: int, http_port: int, pool: ThreadPoolExecutor) -> None:
        self.port: int = port
        self.http_port: int = http_port
        self._pool = pool

    def ask(
        self, path: str, method: str = "POST", body: bytes | None = b"", **headers: str
    ) -> Future[Answer]:
        """Send one request; the server must close the connection after its answer."""
        return self._pool.submit(self._ask, path, method, body, headers)

    def _ask(self, path: str, method: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=WAIT)
        try:
            named = {f"X-Gearman-{name}": text for name, text in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            answer = Answer(response.status, dict(response.getheaders()), response.read())
            assert connection.sock is None, "the connection stays open"
            return answer
        finally:
            connection.close()


@pytest.fixture(params=["geard", pytest.param("gearmand", marks=pytest.mark.peer)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Asker]:
    http_port = free_port()
    options = ("--protocol", "http", "--http-port", str(http_port))
    with ThreadPoolExecutor() as pool:
        if request.param == "geard":
            with Geard(tmp_path, "--listen", "127.0.0.1", *options) as geard:
                yield Asker(geard.port, http_port, pool)
            return
        gearmand = Gearmand(tmp_path, *options)
        try:
            yield Asker(gearmand.port, http_port, pool)
        finally:
            gearmand.stop()


@pytest.fixture
def worker(server: Asker) -> Iterator[gear.Worker]:
    with gear.Worker("a worker") as worker:
        worker.addServer("127.0.0.1", server.port)
        worker.waitForServer(WAIT)
        yield worker


def names_a_job(answer: Answer) -> bool:
    return re.fullmatch(r"H:.+:\d+", answer.headers["x-gearman-job-handle"]) is not None


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_is_the_payload_and_the_result_the_answer(
    server: Asker, worker: gear.Worker, method: str
) -> None:
    worker.registerFunction("reverse")
    asked = server.ask("/reverse", method, b"hello")
    job = worker.getJob(WAIT)
    assert (job.arguments, job.unique) == (b"hello", b"-")
    job.sendWorkComplete(b"olleh")
    answer = asked.result(WAIT)
    assert (answer.status, answer.body) == (200, b"olleh")
    assert answer.headers["x-gearman-command"] == "WORK_COMPLETE"
    assert answer.headers["content-length"] == "5"
    assert answer.headers["server"].startswith("Gearman/")
    assert names_a_job(answer)


def test_get_has_no_payload(server: Asker, worker: gear.Worker) -> None:
    worker.registerFunction("now")
    asked = server.ask("/now", "GET", None)
    job = worker.getJob(WAIT)
    assert job.arguments == b""
    job.sendWorkComplete(b"late")
    assert (asked.result(WAIT).status, asked.result(WAIT).body) == (200, b"late")


def test_head_tells_the_job_alone(server: Asker, worker: gear.Worker) -> None:
    worker.registerFunction("now")
    asked = server.ask("/now", "HEAD", None)
    worker.getJob(WAIT).sendWorkComplete()
    answer = asked.result(WAIT)
    assert (answer.status, answer.body) == (200, b"")
    assert names_a_job(answer)
    assert "x-gearman-command" not in answer.headers


def test_a_job_in_the_background_is_answered_at_once(server: Asker, worker: gear.Worker) -> None:
    answer = server.ask("/later", body=b"x", Background="true", Unique="one").result(WAIT)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["x-gearman-command"] == "JOB_CREATED"
    worker.registerFunction("later")
    job = worker.getJob(WAIT)
    assert (job.arguments, job.unique) == (b"x", b"one")
    assert job.handle == answer.headers["x-gearman-job-handle"].encode()


def test_submissions_of_one_unique_are_one_job(server: Asker) -> None:
    handles = {
        server.ask("/later", Background="true", Unique="one").result(WAIT).headers[
            "x-gearman-job-handle"
        ]
        for _ in range(2)
    }  # fmt: skip
    assert len(handles) == 1


def test_precedence_decides_the_order(server: Asker, worker: gear.Worker) -> None:
    for priority in ("low", "normal", "high"):
        server.ask(
            "/sorted", body=priority.encode(), Background="true", Unique=priority,
            Priority=priority.title(),
        ).result(WAIT)  # fmt: skip
    worker.registerFunction("sorted")
    order = []
    for _ in range(3):
        job = worker.getJob(WAIT)
        order.append(job.arguments)
        job.sendWorkComplete()
    assert order == [b"high", b"normal", b"low"]


def test_a_failure_is_told_in_a_header(server: Asker, worker: gear.Worker) -> None:
    worker.registerFunction("fail")
    asked = server.ask("/fail")
    worker.getJob(WAIT).sendWorkFail()
    answer = asked.result(WAIT)
    assert answer.status == 200
    assert answer.headers["x-gearman-command"] == "WORK_FAIL"


def test_without_a_function_there_is_nothing(server: Asker) -> None:
    answer = server.ask("/", "GET", None).result(WAIT)
    assert (answer.status, answer.headers["content-length"]) == (404, "0")
