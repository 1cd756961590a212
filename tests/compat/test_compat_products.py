"""Behaviour that products count on beyond names: order, loss, threads, forks, logs, types."""

import logging
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
import gear.constants

HOST = "127.0.0.1"


@pytest.fixture
def worker(server: gear.Server) -> Iterator[gear.Worker]:
    worker = gear.Worker("w")
    worker.registerFunction("do")
    worker.addServer(HOST, server.port)
    worker.waitForServer(20)
    yield worker
    worker.shutdown()


def text(client: gear.Client) -> str:
    request = gear.StatusAdminRequest()
    client.getConnection().sendAdminRequest(request, timeout=300)
    assert request.response is not None
    return request.response.decode()


# Order and loss


def test_jobs_of_one_precedence_come_in_order(client: gear.Client, worker: gear.Worker) -> None:
    for number in range(200):
        client.submitJob(gear.Job("do", b"%d" % number), background=True)
    taken = []
    for _ in range(200):
        job = worker.getJob(20)
        taken.append(int(job.arguments))
        job.sendWorkComplete()
    assert taken == list(range(200))


def test_status_keeps_functions_without_workers(
    server: gear.Server, client: gear.Client, worker: gear.Worker
) -> None:
    worker.getConnection().echo(timeout=20)  # what it said before is known then
    client.submitJob(gear.Job("nobody", b""))
    assert text(client).splitlines() == ["do\t0\t0\t1", "nobody\t1\t0\t0", "."]
    worker.shutdown()
    assert server.waitFor(lambda: len(server.active_connections) == 1, 20)
    assert text(client).splitlines() == ["do\t0\t0\t0", "nobody\t1\t0\t0", "."]


@pytest.mark.parametrize("background", [False, True])
def test_a_job_survives_its_client_in_the_background_alone(
    background: bool, server: gear.Server, client: gear.Client
) -> None:
    client.submitJob(gear.Job("nobody", b""), background=background)
    client.shutdown()
    assert server.waitFor(lambda: not server.active_connections, 20)
    assert server.total_jobs == int(background)


def test_a_background_job_whose_worker_is_lost_is_logged(
    server: gear.Server, client: gear.Client, worker: gear.Worker, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends, as in 0.16, but no longer without a word."""
    client.submitJob(gear.Job("do", b""), background=True)
    worker.getJob(20)
    worker.shutdown()
    assert server.waitFor(lambda: not server.total_jobs, 20)
    assert "no attempts left" in caplog.text


def test_retries_are_a_server_s_choice() -> None:
    server = gear.Server(0, host=HOST, job_retries=-1)
    client, first = gear.Client(), gear.Worker("first")
    for end in (client, first):
        end.addServer(HOST, server.port)
        end.waitForServer(20)
    first.registerFunction("do")
    job = gear.Job("do", b"x")
    client.submitJob(job)
    first.getJob(20)
    first.shutdown()
    second = gear.Worker("second")
    second.registerFunction("do")
    second.addServer(HOST, server.port)
    second.getJob(20).sendWorkComplete(b"done")
    assert job.result(20) == b"done"
    for end in (client, second):
        end.shutdown()
    server.shutdown()


# Handlers and threads


def test_handlers_run_one_at_a_time_on_one_thread(server: gear.Server, worker: gear.Worker) -> None:
    threads: set[str] = set()
    running = threading.Lock()

    class Watching(gear.Client):
        def handlePacket(self, packet: gear.Packet) -> object:
            assert running.acquire(blocking=False)
            threads.add(threading.current_thread().name)
            result = super().handlePacket(packet)
            running.release()
            return result

    client = Watching()
    client.addServer(HOST, server.port)
    client.waitForServer(20)
    jobs = [gear.Job("do", b"") for _ in range(20)]
    submitting = [threading.Thread(target=client.submitJob, args=(job,)) for job in jobs]
    for thread in submitting:
        thread.start()
    for _ in jobs:
        worker.getJob(20).sendWorkComplete()
    for thread in submitting:
        thread.join(20)
    assert all(job.wait(20) for job in jobs)
    assert threads == {"Gearman client poll"}
    client.shutdown()


def test_threads_have_the_names_of_0_16_and_hold_up_no_exit(
    server: gear.Server, client: gear.Client, worker: gear.Worker
) -> None:
    """Leak checks of products let these names pass and no others."""
    client.addServer(HOST, 1)  # nobody listens: it is tried again and again
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("Gearman")]
    assert {thread.name for thread in threads} == {"Gearman client poll", "Gearman client connect"}
    assert all(thread.daemon for thread in threads)


def test_a_thread_that_stops_waiting_every_moment(worker: gear.Worker, client: gear.Client) -> None:
    """A timeout as products make one: another thread calls stopWaitingForJobs time and again."""
    ended = threading.Event()

    def stop() -> None:
        while not ended.wait(0.001):
            worker.stopWaitingForJobs()

    stopping = threading.Thread(target=stop)
    stopping.start()
    for number in range(20):
        client.submitJob(gear.Job("do", b"%d" % number), background=True)
        while True:
            try:
                job = worker.getJob()
            except gear.InterruptedError:
                continue
            break
        assert job.arguments == b"%d" % number
        job.sendWorkComplete()
    ended.set()
    stopping.join(20)


def test_work_is_reported_from_other_threads(client: gear.Client, worker: gear.Worker) -> None:
    job = gear.Job("do", b"")
    client.submitJob(job)
    assigned = worker.getJob(20)
    assert isinstance(assigned.connection, gear.Connection)
    assert assigned.unique is None
    packet = gear.Packet(
        gear.constants.REQ, gear.constants.WORK_DATA, (assigned.handle or b"") + b"\0by hand"
    )
    for report in (
        lambda: assigned.connection.sendPacket(packet),
        lambda: assigned.sendWorkData(data=b" then "),
        lambda: assigned.sendWorkComplete(b"the end"),
    ):
        thread = threading.Thread(target=report)
        thread.start()
        thread.join(20)
    assert job.result(20) == b"by hand then the end"


# Processes


def run(program: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return ended.stdout


def test_a_program_ends_without_shutdown() -> None:
    printed = run("""
        import logging
        import gear
        logging.disable()
        server = gear.Server(0)
        client, worker = gear.Client(), gear.Worker('w')
        for end in (client, worker):
            end.addServer('localhost', server.port)
            end.addServer('localhost', 1)
            end.waitForServer()
        worker.registerFunction('do')
        job = gear.Job('do', b'')
        client.submitJob(job)
        worker.getJob().sendWorkComplete(b'done')
        print(job.result())
    """)
    assert printed == "b'done'\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_server_in_a_child_that_nobody_keeps() -> None:
    """A product forks, starts a server without a name for it, and waits on a pipe."""
    printed = run("""
        import os
        import gear
        ready_read, ready_write = os.pipe()
        end_read, end_write = os.pipe()
        child = os.fork()
        if not child:
            os.close(end_write)
            port = gear.Server(0, statsd_prefix='zuul.geard').port
            os.write(ready_write, b'%d' % port)
            os.read(end_read, 1)
            os._exit(0)
        port = int(os.read(ready_read, 10))
        client = gear.Client()
        client.addServer('localhost', port)
        client.waitForServer()
        print(client.echo(b'x'))
        client.shutdown()
        os.close(end_write)
        print(os.waitpid(child, 0)[1])
    """)
    assert printed == "b'x'\n0\n"


# Logs


def test_loggers_keep_their_names(server: gear.Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client, worker = gear.Client("mine"), gear.Worker(b"its")
    for end in (client, worker):
        end.addServer(HOST, server.port)
        end.waitForServer(20)
    client.echo(timeout=20)
    named = gear.Server(0, server_id="named", host=HOST)
    assert (client.log.name, worker.log.name) == ("gear.Client.mine", "gear.Worker.its")
    assert (server.log.name, named.log.name) == ("gear.Server", "gear.Server.named")
    names = {record.name for record in caplog.records}
    assert names >= {"gear.Connection.mine", "gear.Client.mine", "gear.Connection.its"}
    for end in (client, worker):
        end.shutdown()
    named.shutdown()


def test_a_logger_of_ones_own() -> None:
    class Own(gear.Worker):
        log = logging.getLogger("own")

    worker = Own("w")
    assert worker.log.name == "own"
    worker.log = logging.getLogger("another")
    worker.shutdown()


# Arguments as products pass them


def test_hosts_and_ports_in_bytes(server: gear.Server) -> None:
    client = gear.Client(b"id" + b"-of-bytes")
    client.addServer(HOST.encode(), str(server.port).encode())
    client.waitForServer(timeout=60)
    assert str(client.getConnection()).endswith(f"host: {HOST} port: {server.port}>")
    client.shutdown()


def test_a_precedence_in_the_place_of_background(server: gear.Server, client: gear.Client) -> None:
    """One product passes it so by mistake, and has had background jobs ever since."""
    job = gear.Job("nobody", b"")
    client.submitJob(job, gear.PRECEDENCE_HIGH)  # type: ignore[arg-type]  # the mistake
    (queued,) = server.getQueue()
    assert queued.background
    client.submitJob(gear.Job("nobody", b""), None, gear.PRECEDENCE_LOW, 300)
    assert [job.background for job in server.low_queue] == [False]


def test_precedences_as_plain_numbers(server: gear.Server, client: gear.Client) -> None:
    for precedence in (0, 1, 2):
        client.submitJob(gear.Job("nobody", b"%d" % precedence), precedence=precedence)
    assert [job.arguments for job in server.getQueue()] == [b"2", b"0", b"1"]


def test_keepalive_as_products_switch_it_on(server: gear.Server) -> None:
    import socket

    client = gear.Client()
    client.addServer(
        HOST, server.port, None, None, None,
        keepalive=True, tcp_keepidle=60, tcp_keepintvl=30, tcp_keepcnt=5,
    )  # fmt: skip
    client.waitForServer(20)
    sock = client.getConnection().conn
    assert sock is not None
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    client.shutdown()


def test_cancelling_without_a_handle_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        gear.CancelJobAdminRequest()  # type: ignore[call-arg]  # as one program calls it


def test_text_and_bytes() -> None:
    assert gear.convert_to_bytes("a") == gear.convert_to_bytes(b"a") == b"a"
    assert gear.BinaryJob("do", b"").name == b"do"
    assert gear.Job(b"do", b"").name == "do"
    assert gear.BinaryWorkerJob(b"H:1", "do", b"").name == b"do"
    job = gear.TextWorkerJob(b"H:1", "do", "ä".encode(), "ü".encode())
    assert (job.name, job.arguments, job.unique) == ("do", "ä", "ü")


def test_a_text_worker_and_its_client(server: gear.Server) -> None:
    client, worker = gear.Client(), gear.TextWorker("w")
    for end in (client, worker):
        end.addServer(HOST, server.port)
        end.waitForServer(20)
    worker.registerFunction("do")
    job = gear.TextJob("do", "größer")
    client.submitJob(job)
    assigned = worker.getJob(20)
    assert isinstance(assigned, gear.TextWorkerJob)
    assert assigned.arguments == "größer"
    assigned.sendWorkData("a")
    assigned.sendWorkComplete("ä")
    assert job.wait(20)
    assert job.data == ["a", "ä"]
    for end in (client, worker):
        end.shutdown()


def test_every_request_gets_its_reply(client: gear.Client) -> None:
    """Three of these were never answered by 0.16's own server."""
    client.submitJob(gear.Job("nobody", b"", "u"))
    requests = [
        gear.VersionAdminRequest(),
        gear.ShowJobsAdminRequest(),
        gear.ShowUniqueJobsAdminRequest(),
        gear.StatusAdminRequest(),
        gear.WorkersAdminRequest(),
    ]
    for request in requests:
        client.getConnection().sendAdminRequest(request, 20)
        assert request.response
    assert requests[0].response.startswith(b"OK ")  # type: ignore[union-attr]  # asserted above
    assert requests[2].response == b"u\n.\n"


# What 0.16 had

MEMBERS = Path(__file__).with_name("members_0_16.txt")


@pytest.mark.parametrize("line", MEMBERS.read_text().splitlines(), ids=lambda line: line.split()[0])
def test_every_public_member_is_there(line: str) -> None:
    name, *members = line.split()
    owner = getattr(gear, name)
    assert [member for member in members if not hasattr(owner, member)] == []
