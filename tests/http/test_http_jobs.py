"""Jobs over HTTP: submitted, run by real workers, and answered with whatever comes of them."""

import http.client
import socket
import time
import urllib.parse
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gear
from gear_server.settings import ServerSettings
from support.http_asking import Answer, ask
from support.http_jobs import WAIT, Request, next_event

pytest_plugins = ["support.fix_http"]


def post(server: gear.Server, path: str, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(server.http_port, f"/jobs/{path}", "POST", body, named)


def status(server: gear.Server, handle: str) -> Answer:
    return ask(server.http_port, f"/jobs/{handle}")


def handle_of(job: gear.WorkerJob) -> str:
    assert job.handle is not None
    return job.handle.decode()


# Results


def test_the_result_is_the_answer(http_server: gear.Server, http_worker: gear.Worker) -> None:
    http_worker.registerFunction("reverse")
    with Request(http_server.http_port, "/jobs/reverse", b"\0Hello") as request:
        job = http_worker.getJob()
        assert (job.name, job.arguments) == ("reverse", b"\0Hello")
        job.sendWorkComplete(job.arguments[::-1])
        answer = request.answer()
    assert (answer.status, answer.body) == (200, b"olleH\0")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == "6"
    assert answer.headers["x-gearman-job-handle"] == handle_of(job)


def test_a_connection_is_used_for_many_jobs(
    http_server: gear.Server, http_worker: gear.Worker
) -> None:
    http_worker.registerFunction("next")
    with Request(http_server.http_port, "/jobs/next", b"0") as request:
        for number in range(1, 5):
            http_worker.getJob().sendWorkComplete(b"%d" % number)
            assert request.answer().body == b"%d" % number
            request.connection.request("POST", "/jobs/next", b"more")
        http_worker.getJob().sendWorkComplete(b"")
        assert request.answer().body == b""


def test_data_comes_as_the_worker_sends_it(
    http_server: gear.Server, http_worker: gear.Worker
) -> None:
    http_worker.registerFunction("count")
    with Request(http_server.http_port, "/jobs/count") as request:
        job = http_worker.getJob()
        job.sendWorkData(b"one")
        response = request.connection.getresponse()
        assert response.status == 200
        assert response.getheader("Transfer-Encoding") == "chunked"
        assert response.read(3) == b"one"
        job.sendWorkWarning(b"nobody sees this")
        job.sendWorkStatus(1, 2)
        job.sendWorkData(b"two")
        assert response.read(3) == b"two"
        job.sendWorkComplete(b"three")
        assert response.read() == b"three"


@pytest.mark.parametrize("in_parts", [False, True])
def test_a_large_result_arrives_whole(
    http_server: gear.Server, http_worker: gear.Worker, in_parts: bool
) -> None:
    http_worker.registerFunction("large")
    large = bytes(range(256)) * 40_960
    with Request(http_server.http_port, "/jobs/large", large) as request:
        job = http_worker.getJob()
        assert job.arguments == large
        if in_parts:
            job.sendWorkData(large)
        job.sendWorkComplete(large)
        assert request.answer().body == large * (1 + in_parts)


# Failures


def test_a_job_that_fails_is_500(http_server: gear.Server, http_worker: gear.Worker) -> None:
    http_worker.registerFunction("fail")
    with Request(http_server.http_port, "/jobs/fail") as request:
        job = http_worker.getJob()
        job.sendWorkFail()
        answer = request.answer()
    assert answer.detail(500) == "the job has failed"
    assert answer.headers["x-gearman-command"] == "WORK_FAIL"
    assert answer.headers["x-gearman-job-handle"] == handle_of(job)


def test_an_exception_is_500_with_its_text(
    http_server: gear.Server, http_worker: gear.Worker
) -> None:
    http_worker.registerFunction("fail")
    with Request(http_server.http_port, "/jobs/fail") as request:
        http_worker.getJob().sendWorkException("ZeroDivisionError: Ünglück".encode())
        answer = request.answer()
    assert answer.detail(500) == "ZeroDivisionError: Ünglück"
    assert answer.headers["x-gearman-command"] == "WORK_EXCEPTION"


def test_a_failure_after_data_breaks_the_answer_off(
    http_server: gear.Server, http_worker: gear.Worker
) -> None:
    http_worker.registerFunction("fail")
    with Request(http_server.http_port, "/jobs/fail") as request:
        job = http_worker.getJob()
        job.sendWorkData(b"begun")
        response = request.connection.getresponse()
        assert response.read(5) == b"begun"
        job.sendWorkFail()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()


def test_a_failure_after_data_resets_a_connection_of_http_1_0(
    http_server: gear.Server, http_worker: gear.Worker
) -> None:
    # It has no chunks: the end of the connection would be that of a result.
    http_worker.registerFunction("fail")
    with socket.create_connection(("127.0.0.1", http_server.http_port), WAIT) as sock:
        sock.sendall(b"POST /jobs/fail HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
        job = http_worker.getJob()
        job.sendWorkData(b"begun")
        received = b""
        while not received.endswith(b"begun"):
            received += sock.recv(4096)
        job.sendWorkFail()
        with pytest.raises(ConnectionResetError):
            sock.recv(4096)


def test_a_job_is_given_up_after_a_timeout(
    http_server: gear.Server, http_worker: gear.Worker
) -> None:
    http_worker.registerFunction("other")  # nobody does the job
    answer = post(http_server, "slow?timeout=0.05")
    assert answer.detail(504) == "the job has not ended in 0.05 s, and nobody waits for it any more"
    assert http_server.waitFor(lambda: not http_server.jobs, WAIT)


def test_a_timeout_after_data_breaks_the_answer_off(
    http_server: gear.Server, http_worker: gear.Worker
) -> None:
    http_worker.registerFunction("slow")
    with Request(http_server.http_port, "/jobs/slow?timeout=0.5") as request:
        http_worker.getJob().sendWorkData(b"begun")
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            request.answer()


# How a job is asked for


def test_a_background_job_is_accepted(http_server: gear.Server, http_worker: gear.Worker) -> None:
    answer = post(http_server, "later?background", b"data")
    assert answer.status == 202
    handle = answer.json()["handle"]
    assert answer.headers["location"] == f"/jobs/{handle}"
    state = {"handle": handle, "known": True, "running": False, "numerator": 0, "denominator": 0}
    assert status(http_server, handle).json() == state
    http_worker.registerFunction("later")
    job = http_worker.getJob()
    assert job.arguments == b"data"
    job.sendWorkStatus(3, 4)
    assert http_server.waitFor(lambda: http_server.jobs[handle.encode()].denominator == b"4", WAIT)
    state |= {"running": True, "numerator": 3, "denominator": 4}
    assert status(http_server, answer.headers["location"].removeprefix("/jobs/")).json() == state
    job.sendWorkComplete()
    assert http_server.waitFor(lambda: not http_server.jobs, WAIT)
    assert "is queued or running" in status(http_server, handle).detail(404)


def test_submissions_of_one_unique_have_one_job(
    http_server: gear.Server, http_client: gear.Client, http_worker: gear.Worker
) -> None:
    other = gear.Job("once", b"", unique=b"\xff&")
    http_client.submitJob(other)
    with (
        Request(http_server.http_port, "/jobs/once?unique=%FF%26") as first,
        Request(
            http_server.http_port, "/jobs/once", headers={"X-Gearman-Unique": "\xff&"}
        ) as second,
    ):
        assert http_server.waitFor(lambda: http_server.counters.joined == 2, WAIT)
        http_worker.registerFunction("once")
        http_worker.getJob().sendWorkComplete(b"done")
        assert first.answer().body == second.answer().body == b"done"
    other.wait(WAIT)
    assert other.data == [b"done"]


@pytest.mark.parametrize("headers", [False, True])
def test_precedence_decides_the_order(
    http_server: gear.Server, http_worker: gear.Worker, headers: bool
) -> None:
    for precedence in ("low", "normal", "high"):
        if headers:
            asked = {"X_Gearman_Priority": precedence, "X_Gearman_Background": "true"}
            answer = post(http_server, "work", precedence.encode(), **asked)
        else:
            path = f"work?background=1&precedence={precedence}"
            answer = post(http_server, path, precedence.encode())
        assert answer.status == 202
    http_worker.registerFunction("work")
    taken = []
    for _ in range(3):
        job = http_worker.getJob()
        taken.append(job.arguments)
        job.sendWorkComplete()
    assert taken == [b"high", b"normal", b"low"]


@pytest.mark.parametrize(
    "when", ["4102444800", "2100-01-01T00:00:00Z", "2100-01-01T01:00:00%2B01:00", "4102444799.5"]
)
def test_a_job_may_be_for_later(http_server: gear.Server, when: str) -> None:
    answer = post(http_server, f"later?when={when}")
    assert answer.status == 202
    (job,) = http_server.jobs.values()
    assert job.background
    assert job.when == 4102444800


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("build/a/b", b"build/a/b"),
        ("a%2Fb%20%25".replace("%20", "+"), b"a/b+%"),
        ("%C3%BC", "ü".encode()),
        ("%ff", b"\xff"),
        ("a//b/", b"a//b/"),
    ],
)
def test_the_path_names_any_function(http_server: gear.Server, path: str, name: bytes) -> None:
    assert post(http_server, f"{path}?background").status == 202
    assert [job.name for job in http_server.jobs.values()] == [name]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("a%00b", "has a NUL (%00)"),
        ("a%20b", "Function name with blanks or control characters (INVALID_FUNCTION_NAME)"),
        ("a" * 513, "Function name too large (ARGUMENT_TOO_LARGE)"),
        ("f?retries=3", "no parameter b'retries': there are background, unique, precedence, when"),
        ("f?background=maybe", "background is true or false, not 'maybe'"),
        ("f?unique=", "unique is 1 to 64 bytes without a NUL, not ''"),
        ("f?unique=" + "u" * 65, "unique is 1 to 64 bytes"),
        ("f?unique=a%00b", r"without a NUL, not 'a\x00b'"),
        ("f?precedence=urgent", "precedence is high, normal or low, not 'urgent'"),
        ("f?when=tomorrow", "when is seconds since 1970, or a time with its zone"),
        ("f?when=2100-01-01T00:00:00", "with its zone"),
        ("f?when=-1", "not '-1'"),
        ("f?when=nan", "not 'nan'"),
        ("f?when=1&background=false", "is done in the background"),
        ("f?when=1&precedence=high", "has normal precedence"),
        ("f?timeout=0", "timeout is a number of seconds, more than 0 and at most a year, not '0'"),
        ("f?timeout=inf", "not 'inf'"),
        ("f?timeout=5&background", "a timeout is for a job whose result is waited for"),
        ("f?unique=a&unique=b", "unique is given twice"),
        ("f?" + "&".join("a" * 40), "a query has at most 32 parameters"),
    ],
)
def test_bad_requests_are_told_what_is_right(
    http_server: gear.Server, path: str, says: str
) -> None:
    assert says in post(http_server, path).detail(400)
    assert not http_server.jobs


def test_a_bad_header_is_named(http_server: gear.Server) -> None:
    answer = post(http_server, "f", X_Gearman_Timeout="soon")
    assert answer.detail(400).startswith("X-Gearman-Timeout is a number of seconds")


_VALUES = st.one_of(st.text(max_size=70), st.integers().map(str), st.floats().map(str))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    query=st.fixed_dictionaries(
        # A job that is not in the background would wait for its worker.
        {"background": _VALUES.filter(lambda text: text.lower() not in ("0", "false"))},
        optional=dict.fromkeys(["unique", "precedence", "when", "timeout", "other"], _VALUES),
    )
)
def test_any_query_is_answered(http_server: gear.Server, query: dict[str, str]) -> None:
    text = urllib.parse.urlencode(query, errors="surrogatepass")
    answer = post(http_server, f"f?{text}")
    assert answer.status in (202, 400)
    if answer.status == 400:
        assert answer.detail(400)


# Limits


@pytest.fixture
def small() -> Iterator[gear.Server]:
    small = ServerSettings(
        http="0", max_packet_size=1000, max_queue=1, packet_timeout=0.5, max_send_queue=1 << 20
    )
    with gear.Server(0, host="127.0.0.1", settings=small) as server:
        yield server


@pytest.mark.parametrize("chunked", [False, True])
def test_a_payload_that_is_too_large_is_413(small: gear.Server, chunked: bool) -> None:
    body = iter([b"x" * 600, b"x" * 600]) if chunked else b"x" * 1200
    with Request(small.http_port, "/jobs/f?background", body) as request:
        assert "may have 997 bytes (max_packet_size)" in request.answer().detail(413)
    assert not small.jobs


def test_a_payload_that_comes_too_slowly_is_408(small: gear.Server) -> None:
    with socket.create_connection(("127.0.0.1", small.http_port), WAIT) as sock:
        sock.sendall(b"POST /jobs/f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nfive5")
        response = http.client.HTTPResponse(sock)
        response.begin()
        assert response.status == 408
        assert b"5 bytes of the body came" in response.read()


def test_a_full_queue_is_429(small: gear.Server) -> None:
    assert post(small, "f?background").status == 202
    answer = post(small, "f?background")
    assert answer.detail(429) == "Job queue is full (QUEUE_ERROR)"
    assert answer.headers["retry-after"] == "1"


def test_a_server_that_drains_is_503(http_server: gear.Server, http_worker: gear.Worker) -> None:
    # Its port is closed, but connections from before are answered, and jobs that run end.
    http_worker.registerFunction("f")
    with (
        Request(http_server.http_port, "/jobs/f") as waiting,
        Request(http_server.http_port, "/healthz", method="GET") as later,
    ):
        assert later.answer().status == 200
        job = http_worker.getJob()
        assert not http_server.drain(0.01)
        later.connection.request("POST", "/jobs/f")
        answer = later.answer()
        assert answer.detail(503) == "Server is shutting down (QUEUE_ERROR)"
        assert answer.headers["retry-after"] == "1"
        job.sendWorkComplete(b"done")
        assert waiting.answer().body == b"done"


def test_bodies_count_as_what_has_come() -> None:
    few = ServerSettings(http="0", max_memory=4 << 20)
    with (
        gear.Server(0, host="127.0.0.1", settings=few) as server,
        socket.create_connection(("127.0.0.1", server.http_port), WAIT) as sock,
    ):
        sock.sendall(
            b"POST /jobs/f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"
        )
        with pytest.raises(OSError):
            sock.sendall(bytes(100_000_000))
        assert server.counters.senders_dropped == 1


def test_who_does_not_read_is_cut_off(small: gear.Server) -> None:
    with gear.Worker("a worker") as worker:
        worker.addServer("127.0.0.1", small.port)
        worker.waitForServer()
        worker.registerFunction("flood")
        with Request(small.http_port, "/jobs/flood") as request:
            job = worker.getJob()
            deadline = time.monotonic() + WAIT
            while not small.counters.consumers_dropped and time.monotonic() < deadline:
                job.sendWorkData(bytes(900))
            assert small.counters.consumers_dropped == 1
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                request.answer()


# Who leaves


def test_a_client_that_leaves_abandons_its_job(http_server: gear.Server) -> None:
    with Request(http_server.http_port, "/jobs/f"):
        assert http_server.waitFor(lambda: len(http_server.jobs) == 1, WAIT)
    assert http_server.waitFor(lambda: not http_server.jobs, WAIT)
    assert http_server.counters.abandoned == 1


def test_a_worker_that_is_lost_loses_no_job() -> None:
    requeueing = ServerSettings(http="0", job_retries=-1)
    with gear.Server(0, host="127.0.0.1", settings=requeueing) as server:
        with Request(server.http_port, "/jobs/f") as request:
            for lost in (True, False):
                with gear.Worker("a worker") as worker:
                    worker.addServer("127.0.0.1", server.port)
                    worker.waitForServer()
                    worker.registerFunction("f")
                    job = worker.getJob()
                    if not lost:
                        job.sendWorkComplete(b"at last")
                        answer = request.answer()
            assert answer.body == b"at last"
        assert server.counters.requeued == 1


def test_a_server_that_ends_answers_who_waits(http_server: gear.Server) -> None:
    with Request(http_server.http_port, "/jobs/f") as request:
        assert http_server.waitFor(lambda: len(http_server.jobs) == 1, WAIT)
        http_server.shutdown()
        assert "shutting down" in request.answer().detail(503)


def test_requests_are_listed_as_connections(
    http_server: gear.Server, http_client: gear.Client
) -> None:
    with (
        Request(http_server.http_port, "/jobs/f"),
        gear.AdminClient("127.0.0.1", http_server.port) as admin,
    ):
        assert http_server.waitFor(lambda: len(http_server.jobs) == 1, WAIT)
        assert sum(worker.client_id == b"http" for worker in admin.workers()) == 1


# Events


def test_events_tell_all_that_happens(http_server: gear.Server, http_worker: gear.Worker) -> None:
    http_worker.registerFunction("steps")
    accept = {"Accept": "text/event-stream"}
    with Request(http_server.http_port, "/jobs/steps", headers=accept) as request:
        job = http_worker.getJob()
        response = request.connection.getresponse()
        assert response.getheader("Content-Type") == "text/event-stream"
        assert next_event(response) == ("created", {"handle": handle_of(job)})
        job.sendWorkStatus(1, 3)
        assert next_event(response) == ("status", {"numerator": "1", "denominator": "3"})
        job.sendWorkData("half\nä".encode())
        assert next_event(response) == ("data", {"text": "half\nä"})
        job.sendWorkWarning(b"\xff")
        assert next_event(response) == ("warning", {"base64": "/w=="})
        job.sendWorkComplete(b"done")
        assert next_event(response) == ("complete", {"text": "done"})
        assert response.read() == b""


def test_the_last_event_tells_of_a_failure(
    http_server: gear.Server, http_worker: gear.Worker
) -> None:
    http_worker.registerFunction("fail")
    accept = {"Accept": "text/event-stream"}
    with Request(http_server.http_port, "/jobs/fail", headers=accept) as request:
        http_worker.getJob().sendWorkException(b"no")
        response = request.connection.getresponse()
        assert next_event(response)[0] == "created"
        name, problem = next_event(response)
        assert (name, problem["status"], problem["detail"]) == ("fail", 500, "no")
        assert response.read() == b""
    refused = Request(http_server.http_port, "/jobs/a%20b", headers=accept)
    with refused:
        assert refused.answer().detail(400)
