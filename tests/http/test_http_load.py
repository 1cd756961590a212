"""A server of ten thousand functions is asked over HTTP while its jobs go on."""

import concurrent.futures
import threading

import gear
from support.http_asking import ask

pytest_plugins = ["support.fix_http"]

FUNCTIONS = 10_000
JOBS = 300
PATHS = (
    "functions?sort=-submitted&size=1000",
    "functions?search=function9&page=2",
    "workers",
    "jobs?state=queued&page=100",
    "jobs?function=work",
    "connections",
    "server",
)


def test_jobs_go_on_while_much_is_asked_for(
    http_server: gear.Server, http_client: gear.Client, http_worker: gear.Worker
) -> None:
    for number in range(FUNCTIONS):
        job = gear.Job(f"function{number}", b"")
        http_client.submitJob(job, background=True)
    http_worker.registerFunction("work")
    asking = threading.Event()
    asking.set()

    def ask_for_all() -> int:
        rounds = 0
        while asking.is_set():
            for path in PATHS:
                answer = ask(http_server.http_port, f"/api/v1/{path}")
                assert answer.status in (200, 404), answer.body  # "work" may not be there yet
            rounds += 1
        return rounds

    def work() -> None:
        for _ in range(JOBS):
            http_worker.getJob().sendWorkComplete(b"done")

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        working = pool.submit(work)
        visitors = [pool.submit(ask_for_all) for _ in range(2)]
        try:
            for _ in range(JOBS):
                done = gear.Job("work", b"")
                http_client.submitJob(done)
                assert done.result(60) == b"done"
            working.result(60)
        finally:
            asking.clear()
        assert all(visitor.result(60) for visitor in visitors)
    page = ask(http_server.http_port, "/api/v1/functions?size=1").json()
    assert page["total"] == FUNCTIONS + 1
    first = ask(http_server.http_port, "/api/v1/jobs?state=queued").json()
    assert first["total"] == FUNCTIONS and len(first["jobs"]) == 100
    work_row = ask(http_server.http_port, "/api/v1/functions/work").json()
    assert work_row["completed"] == JOBS
