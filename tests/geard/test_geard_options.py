"""What geard's options do, seen from a connection."""

import socket
import struct
from collections.abc import Callable
from pathlib import Path

from gear_wire.packets import (
    CanDo,
    EchoReq,
    GrabJob,
    SubmitJob,
    SubmitJobBg,
    WorkData,
    WorkException,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.geard_program import HOST, Geard, receive, send, wait_until

Start = Callable[..., Geard]


def test_job_handle_prefix(start: Start) -> None:
    with start("--job-handle-prefix", "mine").connect() as sock:
        send(sock, SubmitJobBg(FunctionName(b"f"), UniqueKey(b""), b""))
        assert receive(sock) == (8, b"mine:1")


def test_exceptions_go_to_clients_that_did_not_ask(start: Start) -> None:
    geard = start("--exceptions", "--job-handle-prefix", "x")
    with geard.connect() as worker, geard.connect() as client:
        send(worker, CanDo(FunctionName(b"f")), EchoReq(b""))
        assert receive(worker)[0] == 17
        send(client, SubmitJob(FunctionName(b"f"), UniqueKey(b""), b""))
        assert receive(client) == (8, b"x:1")
        send(worker, GrabJob())
        assert receive(worker) == (11, b"x:1\0f\0")
        send(worker, WorkException(Handle(b"x:1"), b"why"))
        assert receive(client) == (25, b"x:1\0why")


def test_verbose_is_what_the_server_answers(start: Start) -> None:
    assert start("--verbose", "warning").ask("verbose") == "OK WARNING"


def test_a_packet_that_is_too_large_ends_its_connection(start: Start) -> None:
    geard = start("--max-packet-size", "100")
    with geard.connect() as sock:
        send(sock, EchoReq(b"x" * 100))
        assert receive(sock) == (17, b"x" * 100)
        sock.sendall(struct.pack(">4sII", b"\0REQ", 16, 101))
        assert sock.recv(1) == b""
    assert "101 bytes" in geard.stop()


def test_a_line_that_is_too_long_ends_its_connection(start: Start) -> None:
    geard = start("--max-line-size", "100")
    with geard.connect() as sock:
        sock.sendall(b"version" + b" " * 92 + b"\n")
        assert sock.recv(100).startswith(b"OK ")
        sock.sendall(b"x" * 101)
        assert sock.recv(1) == b""


def test_who_does_not_read_is_cut_off_with_a_log_line(start: Start) -> None:
    geard = start("--max-send-queue", "1000")
    with geard.connect() as client, geard.connect() as worker:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        send(client, SubmitJob(FunctionName(b"f"), UniqueKey(b""), b""))
        send(worker, CanDo(FunctionName(b"f")), GrabJob())
        handle = Handle(receive(worker)[1].partition(b"\0")[0])
        for _ in range(100):
            send(worker, WorkData(handle, b"x" * (1 << 20)))
        geard.wait_for_log("WARNING .*Dropping slow consumer .* bytes unsent$")
    assert geard.ask("version").startswith("OK ")


def timer_of(geard: Geard) -> str:
    """Return what timer the system keeps for the server's connections: 02 is keepalive."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].partition(":")[2], 16) == geard.port and fields[3] == "01":
            return fields[5].partition(":")[0]
    return ""


def test_keepalive_is_on_when_it_was_asked_for(start: Start) -> None:
    geard = start("--keepalive-idle", "60")
    with geard.connect() as sock:
        send(sock, EchoReq(b"x"))
        receive(sock)
        # Until our side has acknowledged the answer, the timer is that of sending it again.
        wait_until(lambda: timer_of(geard) == "02", "no timer for keepalive")


def test_keepalive_is_off_when_it_was_not(start: Start) -> None:
    geard = start()
    with geard.connect() as sock:
        send(sock, EchoReq(b"x"))
        receive(sock)
        wait_until(lambda: timer_of(geard) == "00", "a timer")


def test_listen_takes_one_address(start: Start) -> None:
    geard = start("--listen-address", "127.0.0.2")
    with socket.create_connection(("127.0.0.2", geard.port), 10):
        pass
    try:
        socket.create_connection((HOST, geard.port), 10).close()
    except ConnectionRefusedError:
        return
    raise AssertionError("it listens on another address too")


def test_measurements_go_to_statsd(start: Start) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.settimeout(30)
        statsd.bind((HOST, 0))
        variables = {"STATSD_HOST": HOST, "STATSD_PORT": str(statsd.getsockname()[1])}
        geard = start("--statsd-prefix", "mine", environ=variables)
        with geard.connect() as sock:
            send(sock, SubmitJobBg(FunctionName(b"f"), UniqueKey(b""), b""))
            receive(sock)
        expected = {b"mine.packet.SUBMIT_JOB_BG:1|c", b"mine.queue.total:1|g"}
        while expected:
            expected.difference_update(statsd.recv(10000).split(b"\n"))
