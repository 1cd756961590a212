"""The API shows what there is: functions, jobs, workers, connections and the server."""

from typing import Any

import pytest

import gear
from support.http_asking import ask

pytest_plugins = ["support.fix_http"]


def get(server: gear.Server, path: str) -> Any:
    answer = ask(server.http_port, f"/api/v1/{path}")
    assert answer.status == 200, answer.body
    return answer.json()


def test_functions_are_shown_with_their_numbers(
    http_server: gear.Server, http_client: gear.Client, http_worker: gear.Worker
) -> None:
    http_worker.registerFunction("resize")
    http_client.submitJob(gear.Job("resize", b"one"))
    http_client.submitJob(gear.Job("resize", b"two"), precedence=gear.PRECEDENCE_HIGH)
    job = http_worker.getJob()
    assert job.arguments == b"two"
    page = get(http_server, "functions")
    (row,) = page.pop("functions")
    assert page == {"total": 1, "page": 1, "size": 100}
    assert row["name"] == "resize"
    assert (row["queued"], row["queued_normal"], row["queued_high"]) == (1, 1, 0)
    assert (row["running"], row["workers"], row["submitted"], row["ended"]) == (1, 1, 2, 0)
    assert row["oldest"] >= 0 and row["waited"] >= 0 and row["ran"] is None
    assert row["limits"] is None and len(row["history"]) == 60
    job.sendWorkComplete()
    assert http_server.waitFor(lambda: http_server.running_jobs == 0, 10)
    row = get(http_server, "functions/resize")
    assert (row["ended"], row["completed"]) == (1, 1)
    assert row["ran"] >= 0


def test_functions_are_sorted_searched_and_paged(
    http_server: gear.Server, http_client: gear.Client
) -> None:
    for number in range(5):
        for _ in range(number):
            http_client.submitJob(gear.Job(f"Function{number}", b"", unique=b""), background=True)
    page = get(http_server, "functions?sort=-queued&size=2")
    assert [row["name"] for row in page["functions"]] == ["Function4", "Function3"]
    page = get(http_server, "functions?sort=-queued&size=2&page=2")
    assert [row["name"] for row in page["functions"]] == ["Function2", "Function1"]
    page = get(http_server, "functions?sort=-name&search=FUNCTION")
    names = [row["name"] for row in page["functions"]]
    assert names == sorted(names, reverse=True) and page["total"] == len(names) == 4
    page = get(http_server, "functions?search=tion3")
    assert [row["name"] for row in page["functions"]] == ["Function3"]
    assert get(http_server, "functions?page=9")["functions"] == []


@pytest.mark.parametrize("name", [b"a/b/c", b"100%", b"\xff\xfe", "grün".encode(), b"?x=1#y", b"."])
def test_names_may_hold_any_bytes(
    http_server: gear.Server, http_client: gear.Client, name: bytes
) -> None:
    http_client.submitJob(gear.Job(name, b""), background=True)
    path = "".join(f"%{byte:02x}" for byte in name)
    row = get(http_server, f"functions/{path}")
    assert row["queued"] == 1
    as_shown = "".join(f"%{byte:02x}" for byte in row["name"].encode())
    assert get(http_server, f"functions/{as_shown}")["name"] == row["name"]
    assert get(http_server, f"jobs?function={path}")["jobs"][0]["function"] == row["name"]


def test_jobs_are_shown_by_function_and_state(
    http_server: gear.Server, http_client: gear.Client, http_worker: gear.Worker
) -> None:
    http_worker.registerFunction("one")
    for name in ("one", "one", "two"):
        http_client.submitJob(
            gear.Job(name, b"12345", unique=b"u" + name.encode()), background=False
        )
        http_client.submitJob(
            gear.Job(name, b"12345"), precedence=gear.PRECEDENCE_LOW, background=True
        )
    running = http_worker.getJob()
    running.sendWorkStatus(3, 10)
    assert http_server.waitFor(
        lambda: any(job.denominator != b"0" for job in http_server.jobs.values()), 10
    )
    page = get(http_server, "jobs?state=running")
    (row,) = page["jobs"]
    assert row["handle"].encode() == running.handle
    assert row["function"] == "one" and row["state"] == "running" and row["size"] == 5
    assert (row["numerator"], row["denominator"]) == (3, 10)
    assert row["worker"]["client_id"] == "a worker" and row["running_for"] >= 0
    assert row["unique"] == "uone" and row["precedence"] == "normal" and not row["background"]
    assert row["clients"] == 1 and row["due"] is None
    page = get(http_server, "jobs")
    assert page["total"] == 5 == len(page["jobs"])  # two had the same unique
    page = get(http_server, "jobs?function=one&state=queued&size=1&page=2")
    assert page["total"] == 2 and len(page["jobs"]) == 1
    assert page["jobs"][0]["precedence"] == "low" and page["jobs"][0]["background"]
    assert get(http_server, f"jobs/{row['handle'].replace(':', '%3A')}")["handle"] == row["handle"]


def test_jobs_for_later_are_shown(http_server: gear.Server, http_client: gear.Client) -> None:
    http_client.submitJob(gear.Job("later", b""), background=True, when=4_000_000_000)
    (row,) = get(http_server, "jobs?state=scheduled")["jobs"]
    assert row["state"] == "scheduled" and row["due"] > 1e6 and row["age"] is None
    assert get(http_server, "functions/later")["scheduled"] == 1
    assert get(http_server, "jobs?function=later")["total"] == 1


def test_workers_and_connections_are_shown(
    http_server: gear.Server, http_client: gear.Client, http_worker: gear.Worker
) -> None:
    for number in range(30):
        http_worker.registerFunction(f"function{number:02}")
    http_client.submitJob(gear.Job("function07", b""))
    job = http_worker.getJob()
    (row,) = get(http_server, "workers?function=function07")["workers"]
    assert row["client_id"] == "a worker" and row["address"].startswith("127.0.0.1:")
    assert row["functions_total"] == 30 and len(row["functions"]) == 20
    assert row["jobs_total"] == 1 and row["jobs"][0]["handle"].encode() == job.handle
    assert row["jobs"][0]["function"] == "function07" and row["subject"] is None
    page = get(http_server, "connections")
    assert sorted(row["kind"] for row in page["connections"]) == ["client", "worker"]
    assert get(http_server, "server")["connections"] == {
        "client": 1, "worker": 1, "both": 0, "other": 0,
    }  # fmt: skip


def test_the_server_is_shown(http_server: gear.Server, http_client: gear.Client) -> None:
    http_client.submitJob(gear.Job("one", b"x" * 1000), background=True)
    row = get(http_server, "server")
    assert row["version"] and row["pid"] and row["uptime"] >= 0 and not row["draining"]
    assert (row["functions"], row["jobs"], row["queued"], row["running"]) == (1, 1, 1, 0)
    assert row["oldest"] >= 0 and row["cancel_running"]
    assert row["bytes_in"] > 1000 and row["packets"]["SUBMIT_JOB_BG"] == 1
    assert row["turns"] > 0 and row["memory"]["used"] > 1000
    limits = {limit["name"]: limit for limit in row["limits"]}
    assert limits["max_jobs"]["used"] == 1 and limits["max_jobs"]["refused"] == 0
    assert row["queue"]["kind"] == "memory" and row["queue"]["latency"] is None
    assert row["counters"]["submitted"] == 1


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("functions?size=0", 400, "`int` >= 1 - at `$.size`"),
        ("functions?page=x", 400, "`$.page`"),
        ("functions?sort=colour", 400, "`$.sort`"),
        ("functions?colour=1", 400, "the parameters here are search, sort, page, size"),
        ("functions?page=1&page=2", 400, "page is given twice"),
        ("server?page=1", 400, "there are none here"),
        ("jobs?state=lost", 400, "`$.state`"),
        ("jobs?function=none", 404, "no function 'none'"),
        ("functions/none", 404, "no function 'none'"),
        ("jobs/H:none:1", 404, "no job 'H:none:1'"),
        ("nothing", 404, "there is nothing at /api/v1/nothing"),
    ],
)
def test_what_is_wrong_is_said(http_server: gear.Server, path: str, status: int, says: str) -> None:
    assert says in ask(http_server.http_port, f"/api/v1/{path}").detail(status)
