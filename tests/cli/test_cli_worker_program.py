"""``gear-worker`` with each of its options, in processes of its own, beside a real server."""

import json
import os
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from gear_worker.cli.options import OPTIONS
from support.certificates import Authority
from support.fix_geard import Start
from support.fix_peers import free_port
from support.geard_program import HOST, TIMEOUT, Geard, wait_until
from support.worker_program import COMMAND, GearWorker, clean_environment, wait_for_workers

pytestmark = pytest.mark.usefixtures("measured_programs")

JOBS = """\
import os
import threading
import time

import gear_wire.functions as gear

app = gear.App()


@app.function()
def whoami() -> tuple[int, str]:
    return os.getpid(), threading.current_thread().name


@app.function()
async def double(number: int) -> int:
    return 2 * number


@app.function()
def refuse() -> None:
    raise ValueError("no")


@app.function()
def hold(path: str, pause: float = 0.01) -> None:
    open(path + ".begun", "w").close()
    while not os.path.exists(path):
        time.sleep(pause)


@app.function()
def die(path: str, code: int) -> str:
    if os.path.exists(path):
        return "again"
    open(path, "w").close()
    os._exit(code)


@app.function()
def grow(mebibytes: int) -> None:
    global kept
    kept = bytearray(mebibytes << 20)
    kept[::4096] = b"x" * len(kept[::4096])


@app.every(1)
@app.function()
async def tick() -> None: ...
"""
ASYNC = """\
import gear_wire.functions as gear

main = gear.App()


@main.function()
async def double(number: int) -> int:
    return 2 * number
"""


@pytest.fixture
def geard(start: Start, tmp_path: Path) -> Geard:
    folder = tmp_path / "geard"
    folder.mkdir()
    return start(folder=folder)


@pytest.fixture
def client(geard: Geard) -> Iterator[gear.Client]:
    with gear.Client() as client:
        client.addServer(HOST, geard.port)
        client.waitForServer(TIMEOUT)
        yield client


Run = Callable[..., GearWorker]


@pytest.fixture
def run(tmp_path: Path, geard: Geard) -> Iterator[Run]:
    """Starts gear-worker for a module `jobs`, and waits until it is there."""
    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "tasks.py").write_text(ASYNC)
    started: list[GearWorker] = []

    def run(
        *words: str, app: str = "jobs", function: str = "double", server: bool = True,
        environ: dict[str, str] | None = None,
    ) -> GearWorker:  # fmt: skip
        servers = ["--server", f"{HOST}:{geard.port}"] if server else []
        worker = GearWorker(tmp_path, app, *servers, *words, environ=environ)
        started.append(worker)
        if function:
            worker.wait_for_log("Connected to")
            wait_for_workers(geard.port, function)
        return worker

    yield run
    for worker in started:
        worker.finish()


def call(client: gear.Client, function: str, **arguments: object) -> object:
    """Call a function as another program would; returns its result."""
    job = gear.Job(function, json.dumps(arguments))
    client.submitJob(job)
    return json.loads(job.result(TIMEOUT))


def whoami(client: gear.Client) -> tuple[int, str]:
    """Return the process and the thread in which a function runs."""
    answer = call(client, "whoami")
    assert isinstance(answer, list)
    process, thread = answer
    return int(process), str(thread)


def begin(client: gear.Client, folder: Path, name: str = "go") -> tuple[gear.Job, Path]:
    """Have a job running that holds its place until a file is there."""
    go = folder / name
    job = gear.Job("hold", json.dumps({"path": str(go)}))
    client.submitJob(job)
    wait_until((folder / f"{name}.begun").exists, "the job has not begun")
    return job, go


# Running


def test_it_runs_an_app_and_ends_quietly(run: Run, client: gear.Client) -> None:
    worker = run()
    assert call(client, "double", number=21) == 42
    worker.signal(signal.SIGINT)
    assert worker.end() == 0
    assert "Traceback" not in worker.log


def test_the_app_may_have_another_name(run: Run, client: gear.Client) -> None:
    run(app="tasks:main")
    assert call(client, "double", number=4) == 8


def test_jobs_run_in_threads(run: Run, client: gear.Client) -> None:
    worker = run("--pool", "threads")
    process, thread = whoami(client)
    assert process == worker.process.pid
    assert thread != "MainThread"


def test_jobs_run_in_processes(run: Run, client: gear.Client) -> None:
    worker = run("--pool", "processes", "--concurrency", "1")
    process, _ = whoami(client)
    assert process != worker.process.pid
    assert worker.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_tasks_alone_are_for_async_functions(run: Run, client: gear.Client) -> None:
    wrong = run("--pool", "tasks", function="")
    assert wrong.end() == 2
    assert "gear-worker: these functions are not async, so they need threads" in wrong.log
    run("--pool", "tasks", app="tasks:main")
    assert call(client, "double", number=4) == 8


def test_concurrency(run: Run, client: gear.Client, geard: Geard, tmp_path: Path) -> None:
    run("--concurrency", "2")
    jobs = [begin(client, tmp_path, name) for name in ("one", "two")]
    third = gear.Job("hold", json.dumps({"path": str(tmp_path / "one")}))
    client.submitJob(third)
    (status,) = [row for row in geard.status() if row.function == b"hold"]
    assert (status.total, status.running) == (3, 2)
    for job, go in jobs:
        go.touch()
        job.wait(TIMEOUT)
    third.wait(TIMEOUT)


def test_a_job_may_end_within_the_grace(run: Run, client: gear.Client, tmp_path: Path) -> None:
    worker = run("--grace", "60")
    job, go = begin(client, tmp_path)
    worker.signal(signal.SIGTERM)
    go.touch()
    job.wait(TIMEOUT)
    assert worker.end() == 0


def test_a_job_that_outlasts_the_grace_goes_back(
    run: Run, client: gear.Client, tmp_path: Path
) -> None:
    worker = run("--grace", "0.1")
    job, go = begin(client, tmp_path)
    assert worker.stop() == 1
    assert not job.complete
    (tmp_path / "go.begun").unlink()
    run()
    wait_until((tmp_path / "go.begun").exists, "no other worker has it")
    go.touch()
    job.wait(TIMEOUT)


def test_a_second_signal_ends_it_at_once(run: Run, client: gear.Client, tmp_path: Path) -> None:
    worker = run("--grace", "600")
    begin(client, tmp_path)
    worker.signal(signal.SIGTERM)
    worker.signal(signal.SIGINT)
    assert worker.end() == 1


def test_a_job_whose_process_died_fails(run: Run, client: gear.Client, tmp_path: Path) -> None:
    run("--pool", "processes", "--concurrency", "1", "--killed", "fail")
    with pytest.raises(gear.JobFailedError):
        call(client, "die", path=str(tmp_path / "died"), code=1)
    assert call(client, "double", number=1) == 2


def test_a_job_whose_process_died_goes_back(run: Run, client: gear.Client, tmp_path: Path) -> None:
    run("--pool", "processes", "--concurrency", "1", "--killed", "return")
    assert call(client, "die", path=str(tmp_path / "died"), code=1) == "again"


def test_it_ends_after_so_many_jobs(run: Run, client: gear.Client) -> None:
    worker = run("--max-jobs", "2")
    for number in (1, 2):
        assert call(client, "double", number=number) == 2 * number
    assert worker.end() == 0


def test_it_ends_with_so_much_memory(run: Run, client: gear.Client) -> None:
    worker = run("--max-memory", "300")
    call(client, "grow", mebibytes=1)
    assert worker.process.poll() is None
    call(client, "grow", mebibytes=400)
    assert worker.end() == 0


# Servers


def test_it_works_for_several_servers(run: Run, start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = start(folder=folder)
    run("--server", f"{HOST}:{other.port}")
    with gear.Client() as client:
        client.addServer(HOST, other.port)
        client.waitForServer(TIMEOUT)
        assert call(client, "double", number=3) == 6


def test_servers_of_the_environment(run: Run, geard: Geard, client: gear.Client) -> None:
    run(server=False, environ={"GEARMAN_SERVERS": f"{HOST}:{free_port()},{HOST}:{geard.port}"})
    assert call(client, "double", number=3) == 6


def test_options_of_the_environment(run: Run, geard: Geard) -> None:
    worker = run(environ={"GEAR_WORKER_CLIENT_ID": "by-environment"})
    assert b"by-environment" in clients(geard)
    assert worker.stop() == 0


def test_options_of_a_file(run: Run, geard: Geard, tmp_path: Path) -> None:
    file = tmp_path / "worker.toml"
    file.write_text(f'[gear-worker]\nserver = ["{HOST}:{geard.port}"]\nclient-id = "by-file"\n')
    run("--config", str(file), server=False)
    assert b"by-file" in clients(geard)


def test_its_name(run: Run, geard: Geard) -> None:
    run("--client-id", "my-name")
    assert b"my-name" in clients(geard)


def clients(geard: Geard) -> set[bytes]:
    with gear.AdminClient(HOST, geard.port) as admin:
        return {bytes(peer.client_id) for peer in admin.workers()}


def test_a_server_that_is_away_is_waited_for(run: Run, launch: Start, tmp_path: Path) -> None:
    port = free_port()
    worker = run(f"--server={HOST}:{port}", server=False, function="")
    worker.wait_for_log("Cannot connect to")
    folder = tmp_path / "late"
    folder.mkdir()
    launch("-p", str(port), folder=folder).started()
    wait_for_workers(port, "double")
    assert worker.stop() == 0


def test_a_server_that_hangs_is_left(run: Run, geard: Geard) -> None:
    worker = run("--heartbeat", "0.3")
    geard.signal(signal.SIGSTOP)
    try:
        worker.wait_for_log("Lost the connection")
    finally:
        geard.signal(signal.SIGCONT)
    wait_for_workers(geard.port, "double")


def test_tls(start: Start, tmp_path: Path, run: Run) -> None:
    files = Authority(tmp_path / "authority").issue(HOST, common_name="ours")
    tls = ("--ssl-key", files.key, "--ssl-cert", files.cert, "--ssl-ca", files.ca)
    folder = tmp_path / "tls"
    folder.mkdir()
    server = start(*tls, folder=folder)
    where = f"--server={HOST}:{server.port}"
    worker = run(where, *tls, "--schedule", server=False, function="")
    worker.wait_for_log(r"gear\.Runner.* Connected to")
    worker.wait_for_log(r"gear\.Scheduler.* Connected to")
    with gear.Client() as client:
        client.addServer(HOST, server.port, *files)
        client.waitForServer(TIMEOUT)
        assert call(client, "double", number=3) == 6


# Supervision


def get(port: int, path: str) -> tuple[int, str]:
    """Return the status and the body of a page."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=TIMEOUT) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def served(worker: GearWorker) -> int:
    """Return the port on which a worker serves pages."""
    return int(worker.wait_for_log(r"Serving .* on http://127\.0\.0\.1:(\d+)")[1])


def test_health_pages(run: Run, geard: Geard, client: gear.Client, tmp_path: Path) -> None:
    worker = run("--health", f"{HOST}:0")
    port = served(worker)
    assert get(port, "/healthz") == (200, "alive\n")
    assert get(port, "/readyz") == (200, "ready\n")
    assert get(port, "/metrics")[0] == 404
    job, go = begin(client, tmp_path)
    worker.signal(signal.SIGTERM)
    wait_until(lambda: get(port, "/readyz") == (503, "stopping\n"), "it is still ready")
    assert get(port, "/healthz") == (200, "alive\n")
    go.touch()
    job.wait(TIMEOUT)
    assert worker.end() == 0


def test_it_is_not_ready_without_a_server(run: Run, geard: Geard) -> None:
    worker = run("--health", f"{HOST}:0")
    port = served(worker)
    geard.kill()
    wait_until(lambda: get(port, "/readyz")[0] == 503, "it is still ready")
    assert get(port, "/readyz")[1] == f"not connected to {HOST}:{geard.port}\n"
    assert get(port, "/healthz")[0] == 200


def test_a_health_file(run: Run, geard: Geard, tmp_path: Path) -> None:
    file = tmp_path / "healthy"
    worker = run("--health", str(file))
    wait_until(file.exists, "there is no file")
    first = file.stat().st_mtime_ns
    wait_until(lambda: file.stat().st_mtime_ns > first, "it is not touched again")
    assert worker.stop() == 0
    assert not file.exists()


def test_a_port_that_is_taken_is_one_line(run: Run) -> None:
    with socket.create_server((HOST, 0)) as taken:
        worker = run("--health", f"{HOST}:{taken.getsockname()[1]}", function="")
        assert worker.end() == 1
    (line,) = [line for line in worker.log.splitlines() if line.startswith("gear-worker: ")]
    assert "address already in use" in line
    assert "Traceback" not in worker.log


def test_requests_that_are_none(run: Run) -> None:
    port = served(run("--health", f"{HOST}:0"))
    for request, answer in (
        (b"hello\r\n\r\n", b"HTTP/1.1 400 "),
        (b"POST /healthz HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 "),
        (b"GET /other HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 "),
        (b"HEAD /healthz HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 "),
        (b"x" * 100_000, b""),
    ):
        with socket.create_connection((HOST, port), TIMEOUT) as sock:
            received = b""
            try:
                sock.sendall(request)
                while part := sock.recv(1000):
                    received += part
            except ConnectionError:
                pass  # it was cut off
        assert received.startswith(answer)
        assert b"alive" not in received
    assert get(port, "/healthz")[0] == 200


def test_metrics(run: Run, client: gear.Client, geard: Geard) -> None:
    port = served(run("--metrics", f"{HOST}:0", "--concurrency", "3"))
    call(client, "double", number=1)
    with pytest.raises(gear.JobFailedError):
        call(client, "refuse")
    wanted = {
        'gear_worker_jobs_total{function="double",outcome="completed"} 1.0',
        'gear_worker_jobs_total{function="refuse",outcome="failed"} 1.0',
        'gear_worker_job_seconds_bucket{function="double",le="+Inf"} 1.0',
        'gear_worker_job_seconds_count{function="double"} 1.0',
        "gear_worker_running_jobs 0.0",
        "gear_worker_free_places 3.0",
        f'gear_worker_connected{{server="{HOST}:{geard.port}"}} 1.0',
    }
    wait_until(lambda: wanted <= {*get(port, "/metrics")[1].splitlines()}, "metrics are missing")


def test_health_and_metrics_on_one_address(run: Run) -> None:
    port = free_port()
    run("--health", f"{HOST}:{port}", "--metrics", f"{HOST}:{port}")
    wait_until(lambda: get(port, "/metrics")[0] == get(port, "/readyz")[0] == 200, "not both")


# Logs


def test_log_lines_as_json(run: Run, client: gear.Client) -> None:
    worker = run("--log-format", "json")
    job = gear.Job("double", json.dumps({"number": 4}), unique="my-unique")
    client.submitJob(job)
    job.wait(TIMEOUT)
    worker.wait_for_log("completed")
    assert worker.stop() == 0
    rows = [json.loads(line) for line in worker.log.splitlines()]
    (ended,) = [row for row in rows if row.get("outcome") == "completed"]
    assert ended["function"] == "double"
    assert ended["unique"] == "my-unique"
    assert ended["handle"].startswith("H:")
    assert ended["seconds"] >= 0
    assert ended["level"] == "INFO"


def test_log_level(run: Run, client: gear.Client, geard: Geard) -> None:
    worker = run("--log-level", "warning", function="")
    wait_for_workers(geard.port, "double")
    call(client, "double", number=4)
    with pytest.raises(gear.JobFailedError):
        call(client, "refuse")
    worker.wait_for_log("ValueError")
    assert worker.stop() == 0
    assert "INFO" not in worker.log


# The schedule


def test_schedule(run: Run) -> None:
    worker = run("--schedule", function="tick")
    worker.wait_for_log("tick .*completed")
    assert worker.stop() == 0


def test_a_job_whose_time_was_missed_is_left_out(
    run: Run, client: gear.Client, tmp_path: Path
) -> None:
    worker = run("--concurrency", "1")
    hold, go = begin(client, tmp_path)
    old = gear.Job("tick", "{}", unique="every:tick:1000000000")
    client.submitJob(old)
    called = gear.Job("tick", "{}")
    client.submitJob(called)
    go.touch()
    for job in (hold, called, old):
        job.wait(TIMEOUT)
    assert (old.failure, called.failure) == (False, False)
    worker.wait_for_log("tick .*: left out, its time was missed")
    assert worker.stop() == 0
    assert worker.log.count("tick ") == 2


def test_an_app_without_a_schedule(run: Run) -> None:
    worker = run("--schedule", app="tasks:main", function="")
    assert worker.end() == 2
    assert "gear-worker: the app has no schedule" in worker.log


# Development


def test_reload(run: Run, client: gear.Client, tmp_path: Path) -> None:
    source = tmp_path / "tasks.py"
    worker = run("--reload", "--log-format", "json", app="tasks:main")
    assert call(client, "double", number=4) == 8
    source.write_text(ASYNC.replace("2 *", "3 *"))
    worker.wait_for_log(r"Restarting: tasks\.py changed")
    wait_until(lambda: call(client, "double", number=4) == 12, "the old source still runs")
    source.write_text("def")
    worker.wait_for_log("The worker ended with exit code 1; the next change starts it")
    source.write_text(ASYNC)
    assert call(client, "double", number=4) == 8
    worker.signal(signal.SIGTERM)
    assert worker.end() == 0
    said = [json.loads(line) for line in worker.log.splitlines() if "Restarting" in line]
    assert {row["logger"] for row in said} == {"gear.Worker.reload"}


def test_ctrl_c_of_a_worker_that_reloads_is_graceful(
    run: Run, client: gear.Client, tmp_path: Path
) -> None:
    worker = run("--reload", "--grace", "60")
    job, go = begin(client, tmp_path)
    worker.signal(signal.SIGINT)
    threading.Timer(0.3, go.touch).start()
    job.wait(TIMEOUT)
    assert worker.end() == 0


# What ends by itself


def test_check_and_schema(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(ASYNC)
    for option, said in (("--check", "double "), ("--schema", '"double"'), ("--help", "Usage: ")):
        worker = GearWorker(tmp_path, "tasks:main", option)
        assert worker.end() == 0
        assert said in worker.log


def test_completion_completes(tmp_path: Path) -> None:
    words = {"COMP_WORDS": "gear-worker --po", "COMP_CWORD": "1"}
    asked = {"_GEAR_WORKER_COMPLETE": "bash_complete", **words}
    done = subprocess.run(
        COMMAND, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=TIMEOUT,
        env=clean_environment() | asked,
    )  # fmt: skip
    assert done.stdout == "plain,--pool\n"


def test_each_option_is_tried_here_or_among_programs() -> None:
    folder = Path(__file__).parent
    text = "".join(file.read_text() for file in folder.glob("test_cli_worker_*.py"))
    for option in OPTIONS.values():
        assert f"--{option.name}" in text, option.name
