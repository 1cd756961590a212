"""What signals do to a geard."""

import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import gear
from gear_server.network.server import FLUSH_TIMEOUT
from gear_wire.enums import PacketType
from gear_wire.packets import (
    CanDo,
    EchoReq,
    GrabJob,
    SubmitJob,
    SubmitJobBg,
    SubmitJobEpoch,
    WorkComplete,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.certificates import Authority
from support.geard_program import HOST, TIMEOUT, Geard, receive, running_job, send, wait_until

Start = Callable[..., Geard]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_an_idle_server_ends_at_once(start: Start, number: signal.Signals) -> None:
    geard = start("--grace", "3600")
    with geard.connect():
        geard.signal(number)
        log = geard.end()
    assert f"Received {number.name}" in log
    assert log.endswith("geard stopped\n")


@pytest.mark.parametrize(
    ("number", "grace"), [(signal.SIGTERM, "3600"), (signal.SIGUSR1, "0")], ids=["TERM", "USR1"]
)
def test_a_running_job_may_end(start: Start, number: signal.Signals, grace: str) -> None:
    geard = start("--grace", grace)
    with running_job(geard.port) as running:
        geard.signal(number)
        geard.wait_until_refusing()
        assert geard.process.poll() is None
        running.assigned.sendWorkComplete(b"done")
        assert running.job.result(TIMEOUT) == b"done"
        log = geard.end()
    assert "waiting for 1 jobs" in log
    assert "lost" not in log


class Worker:
    """A worker of literal packets, and a client that has submitted two jobs for it."""

    def __init__(self, geard: Geard) -> None:
        self.worker, self.client = geard.connect(), geard.connect()
        send(self.worker, CanDo(FunctionName(b"f")), EchoReq(b""))
        assert receive(self.worker)[0] == PacketType.ECHO_RES
        for _ in range(2):
            send(self.client, SubmitJobBg(FunctionName(b"f"), UniqueKey(b""), b""))
            assert receive(self.client)[0] == PacketType.JOB_CREATED

    def grab(self) -> int:
        send(self.worker, GrabJob())
        return receive(self.worker)[0]

    def complete(self, handle: bytes) -> None:
        send(self.worker, WorkComplete(Handle(handle), b""))

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self.worker.close()
        self.client.close()


def test_sigusr1_waits_for_queued_jobs(start: Start) -> None:
    geard = start("--job-handle-prefix", "x")
    with Worker(geard) as worker:
        geard.signal(signal.SIGUSR1)
        geard.wait_until_refusing()
        for number in (1, 2):
            assert geard.process.poll() is None
            assert worker.grab() == PacketType.JOB_ASSIGN
            worker.complete(b"x:%d" % number)
        log = geard.end()
    assert "waiting for 2 jobs without a time limit" in log
    assert "lost" not in log


def test_sigterm_gives_out_no_more_even_after_sigusr1(start: Start) -> None:
    geard = start("--job-handle-prefix", "x", "--grace", "3600")
    with Worker(geard) as worker:
        assert worker.grab() == PacketType.JOB_ASSIGN
        geard.signal(signal.SIGTERM)
        geard.wait_until_refusing()
        geard.signal(signal.SIGUSR1)
        geard.wait_for_log("Received SIGUSR1$")
        assert worker.grab() == PacketType.NO_JOB
        worker.complete(b"x:1")
        log = geard.end()
    assert "Exiting with 1 jobs lost (0 running, 1 queued)" in log


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGUSR1])
def test_a_second_sigusr1_changes_nothing(start: Start, first: signal.Signals) -> None:
    geard = start("--grace", "3600")
    with running_job(geard.port) as running:
        geard.signal(first)
        geard.wait_until_refusing()
        geard.signal(signal.SIGUSR1)
        geard.wait_for_log(rf"Received {first.name}$(?s:.*)Received SIGUSR1$")
        running.assigned.sendWorkComplete(b"done")
        assert running.job.result(TIMEOUT) == b"done"
        geard.end()


def test_a_large_result_arrives_before_the_end(start: Start) -> None:
    geard = start()
    result = bytes(16 << 20)
    with running_job(geard.port) as running:
        geard.signal(signal.SIGTERM)
        geard.wait_until_refusing()
        running.assigned.sendWorkComplete(result)
        assert running.job.result(TIMEOUT) == result
        geard.end()


class Delivery:
    """A client of literal packets with a large result on its way, which it has not read yet."""

    def __init__(self, geard: Geard) -> None:
        self.worker, self.client = geard.connect(), geard.connect()
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self.result = bytes(16 << 20)
        send(self.worker, CanDo(FunctionName(b"f")))
        send(self.client, SubmitJob(FunctionName(b"f"), UniqueKey(b""), b""))
        assert receive(self.client)[0] == PacketType.JOB_CREATED
        send(self.worker, GrabJob())
        self.handle = receive(self.worker)[1].split(b"\0")[0]

    def complete(self) -> None:
        send(self.worker, WorkComplete(Handle(self.handle), self.result), EchoReq(b""))
        assert receive(self.worker)[0] == PacketType.ECHO_RES

    def read_slowly(self) -> bytes:
        """Read to the end of the stream, for longer than a server might wait by itself."""
        data = bytearray()
        slow_until = time.monotonic() + 2 * FLUSH_TIMEOUT
        while chunk := self.client.recv(1 << 18):
            data += chunk
            if time.monotonic() < slow_until:
                time.sleep(0.02)  # that it takes its time is what is tested
        return bytes(data)

    def __enter__(self) -> "Delivery":
        return self

    def __exit__(self, *error: object) -> None:
        self.worker.close()
        self.client.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("early", [True, False], ids=["sent-before", "sent-after"])
def test_a_slow_reader_gets_its_result_within_the_grace_period(
    start: Start, number: signal.Signals, early: bool
) -> None:
    geard = start("--grace", "3600")
    with Delivery(geard) as delivery:
        if early:
            delivery.complete()
        geard.signal(number)
        geard.wait_until_refusing()
        if not early:
            delivery.complete()
        assert delivery.read_slowly()[-len(delivery.result) :] == delivery.result
        assert "Dropping" not in geard.end()


def test_who_does_not_read_is_waited_for_no_longer_than_that(start: Start) -> None:
    geard = start("--grace", "0.1")
    with Delivery(geard) as delivery:
        delivery.complete()
        geard.signal(signal.SIGTERM)
        log = geard.end()
    assert re.search(r"Grace period of 0\.1 s is over \(0 jobs running, \d{7,} bytes undeliv", log)
    assert re.search(r"Dropping slow consumer .* at shutdown: \d{7,} bytes unsent", log)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clients_of_jobs_that_run_at_the_end_hear_that_they_failed(
    start: Start, number: signal.Signals
) -> None:
    geard = start("--grace", "0.05")
    with Delivery(geard) as delivery:
        geard.signal(number)
        assert receive(delivery.client) == (PacketType.WORK_FAIL, delivery.handle)
        assert delivery.client.recv(1) == b""
        geard.end()


def test_a_job_that_runs_too_long_is_left(start: Start) -> None:
    geard = start("--grace", "0.05")
    with running_job(geard.port) as running:
        geard.signal(signal.SIGTERM)
        log = geard.end()
        with pytest.raises(gear.GearmanError):
            running.job.result(TIMEOUT)
    assert (
        "WARNING gear.Server: Grace period of 0.05 s is over (1 jobs running, 0 bytes undelivered)"
        in log
    )
    assert "WARNING gear.Server: Exiting with 1 jobs lost (1 running, 0 queued)" in log


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGUSR1])
def test_a_second_signal_ends_the_waiting(
    start: Start, first: signal.Signals, second: signal.Signals
) -> None:
    grace = "3600" if first == signal.SIGTERM else "0"
    geard = start("--grace", grace)
    with running_job(geard.port):
        geard.signal(first)
        geard.wait_for_log("waiting for 1 jobs")
        geard.signal(second)
        geard.end()


def test_queued_jobs_that_are_lost_are_counted(start: Start) -> None:
    geard = start()
    client = gear.Client()
    try:
        client.addServer(HOST, geard.port)
        client.waitForServer(TIMEOUT)
        for _ in range(3):
            client.submitJob(gear.Job("nobody-does-this", b""), background=True)
        geard.signal(signal.SIGTERM)
        log = geard.end()
    finally:
        client.shutdown()
    assert "Exiting with 3 jobs lost (0 running, 3 queued)" in log


def test_jobs_whose_time_is_to_come_are_counted(start: Start) -> None:
    geard = start()
    with geard.connect() as client:
        send(client, SubmitJobEpoch(FunctionName(b"f"), UniqueKey(b""), b"4000000000", b""))
        assert receive(client)[0] == PacketType.JOB_CREATED
        geard.signal(signal.SIGTERM)
        assert "Exiting with 1 jobs lost (0 running, 1 queued)" in geard.end()


def test_sigpipe_is_ignored(start: Start) -> None:
    geard = start()
    geard.signal(signal.SIGPIPE)
    assert geard.ask("version").startswith("OK ")


def test_sighup_opens_the_log_again(start: Start, tmp_path: Path) -> None:
    geard = start()
    moved = tmp_path / "log.1"
    geard.log.rename(moved)
    geard.signal(signal.SIGHUP)
    geard.wait_for_log("Reloaded$")
    assert "listening on" in moved.read_text()
    assert "Reloaded" not in moved.read_text()
    assert "listening on" not in geard.stop()


def test_a_log_that_cannot_be_opened_again_goes_on(start: Start, tmp_path: Path) -> None:
    geard = start()
    moved = tmp_path / "log.1"
    geard.log.rename(moved)
    geard.log.mkdir()
    geard.signal(signal.SIGHUP)
    wait_until(lambda: "Reloaded" in moved.read_text(), "no reload")
    assert "ERROR gear.Server: Reload failed: [Errno 21] Is a directory" in moved.read_text()
    geard.log.rmdir()
    geard.stop()
    assert moved.read_text().endswith("geard stopped\n")


LOG_CONFIG = """
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys = line
[logger_root]
level = {level}
handlers = file
[handler_file]
class = FileHandler
formatter = line
args = ({path!r},)
[formatter_line]
format = mine: %(message)s
"""


def test_a_logging_configuration_is_read_and_read_again(start: Start, tmp_path: Path) -> None:
    config, one, two = (tmp_path / name for name in ("logging.ini", "one", "two"))
    config.write_text(LOG_CONFIG.format(level="INFO", path=str(one)))
    geard = start("--log-config", str(config))
    wait_until(lambda: one.read_text().startswith("mine: geard "), "no line")
    config.write_text(LOG_CONFIG.format(level="INFO", path=str(two)))
    geard.signal(signal.SIGHUP)
    wait_until(lambda: two.exists() and "mine: Reloaded\n" in two.read_text(), "no reload")
    config.write_text("nonsense")
    geard.signal(signal.SIGHUP)
    wait_until(lambda: "mine: Reload failed: --log-config" in two.read_text(), "no error")
    geard.stop()
    assert not geard.log.exists()


def test_sighup_reads_the_access_control_list_again(start: Start, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    server = authority.issue(HOST)
    mine = authority.issue("client", common_name="mine")
    acl = tmp_path / "acl"
    acl.write_text("[mine]\ngrant = yes\n")
    geard = start(
        "--ssl-key", server.key, "--ssl-cert", server.cert, "--ssl-ca", server.ca,
        "--acl", str(acl),
    )  # fmt: skip
    client = gear.Client()
    try:
        client.addServer(HOST, geard.port, mine.key, mine.cert, mine.ca)
        client.waitForServer(TIMEOUT)
        assert (
            list_acl(client)
            == "mine\tregister=None\tinvoke=None\tgrant=True\tadmin=False\tsee=False"
        )
        acl.write_text("[mine]\ninvoke = f\ngrant = yes\n")
        geard.signal(signal.SIGHUP)
        geard.wait_for_log("Reloaded$")
        assert (
            list_acl(client) == "mine\tregister=None\tinvoke=f\tgrant=True\tadmin=False\tsee=False"
        )
        acl.write_text("[mine]\ninvoke = (\n")
        geard.signal(signal.SIGHUP)
        geard.wait_for_log(r"ERROR gear\.Server: Reload failed: .*not a valid regular expression")
        assert (
            list_acl(client) == "mine\tregister=None\tinvoke=f\tgrant=True\tadmin=False\tsee=False"
        )
    finally:
        client.shutdown()


class ListACL(gear.AdminRequest):
    command = b"acl list"


def list_acl(client: gear.Client) -> str:
    request = ListACL()
    client.getConnection().sendAdminRequest(request, TIMEOUT)
    assert isinstance(request.response, bytes)
    return request.response.decode().splitlines()[0]
