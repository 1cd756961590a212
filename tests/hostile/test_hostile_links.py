"""Connections of threaded clients where the network, the server or the process is not kind."""

import gc
import logging
import multiprocessing
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import NoReturn

import pytest

import gear
from gear_wire.link.address import CHECK_VARIABLE, check_host
from support.certificates import Authority

HOST = "127.0.0.1"
WAIT = 20.0
LARGE = 8 << 20
FORK = multiprocessing.get_context("fork") if hasattr(__import__("os"), "fork") else None


@pytest.fixture
def server() -> Iterator[gear.Server]:
    with_server = gear.Server(0, host=HOST)
    yield with_server
    with_server.shutdown()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and never reads: the kernel's buffers are all it has."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind((HOST, 0))
    listener.listen()
    with listener:
        yield listener


def client_of(port: int) -> gear.Client:
    client = gear.Client("hostile")
    client.addServer(HOST, port)
    client.waitForServer(WAIT)
    return client


def worker_of(port: int, *functions: str) -> gear.Worker:
    worker = gear.Worker("hostile")
    for function in functions:
        worker.registerFunction(function)
    worker.addServer(HOST, port)
    worker.waitForServer(WAIT)
    return worker


# Closing


def test_a_large_result_arrives_though_its_worker_is_shut_down_at_once(server: gear.Server) -> None:
    client, worker = client_of(server.port), worker_of(server.port, "large")
    job = gear.Job("large", b"")
    client.submitJob(job)
    assigned = worker.getJob(WAIT)
    assigned.sendWorkComplete(bytes(LARGE))
    worker.shutdown()
    assert len(job.result(WAIT)) == LARGE
    client.shutdown()


def test_leaving_a_block_shuts_down(server: gear.Server) -> None:
    with gear.Client() as client, gear.Worker("block") as worker:
        for end in (client, worker):
            end.addServer(HOST, server.port)
            end.waitForServer(WAIT)
    assert not client.running
    assert not worker.running
    assert server.waitFor(lambda: not server.active_connections, WAIT)


def test_a_server_that_never_reads_holds_up_no_shutdown_for_long(silent: socket.socket) -> None:
    client = client_of(silent.getsockname()[1])
    with pytest.raises(gear.TimeoutError):
        client.echo(bytes(9 << 20), timeout=0.2)
    start = time.monotonic()
    client.shutdown(timeout=0.5)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("size", [64, 9 << 20])
def test_an_echo_ends_in_time_though_the_server_never_reads(
    silent: socket.socket, size: int
) -> None:
    port = silent.getsockname()[1]
    client = client_of(port)
    connection = gear.Connection(HOST, port)
    connection.connect()
    for ask in (client.echo, connection.echo):
        with pytest.raises(gear.TimeoutError):
            ask(bytes(size), timeout=0.2)
    connection.disconnect()
    client.shutdown(timeout=0)


def test_a_question_to_an_administrator_ends_in_time(silent: socket.socket) -> None:
    with (
        gear.AdminClient(HOST, silent.getsockname()[1], timeout=0.2) as admin,
        pytest.raises(gear.TimeoutError),
    ):
        admin.status()


# Connecting again


@pytest.mark.parametrize("way", ["disconnect", "reconnect"])
def test_a_worker_hears_again_after_its_connection_was_cut_by_hand(
    server: gear.Server, way: str
) -> None:
    client, worker = client_of(server.port), worker_of(server.port, "reverse")
    getattr(worker.getConnection(), way)()
    job = gear.Job("reverse", b"ab")
    client.submitJob(job)
    assigned = worker.getJob(WAIT)
    assigned.sendWorkComplete(b"ba")
    assert job.result(WAIT) == b"ba"
    worker.shutdown()
    client.shutdown()


def test_a_server_that_is_down_is_told_once_and_again_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "gear")
    with socket.create_server((HOST, 0)) as sock:
        port = sock.getsockname()[1]
    client = gear.Client("patient")
    client.addServer(HOST, port)
    failed = f"Cannot connect to 127.0.0.1 port {port}: Connection refused"

    def lines(level: int) -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.levelno == level and record.name == "gear.Client.patient"
        ]

    end = time.monotonic() + WAIT
    while not any(line.startswith(failed) for line in lines(logging.DEBUG)):
        assert time.monotonic() < end
        time.sleep(0.01)  # a second attempt has no event
    assert lines(logging.WARNING) == [f"{failed}; retrying"]
    server = gear.Server(port, host=HOST)
    client.waitForServer(WAIT)
    assert len(lines(logging.WARNING)) == 2
    assert lines(logging.WARNING)[1].startswith(f"Connected to 127.0.0.1 port {port} after ")
    client.getConnection().disconnect()
    client.waitForServer(WAIT)
    assert len(lines(logging.WARNING)) == 2
    client.shutdown()
    server.shutdown()


def test_waiting_in_vain_names_each_server_and_its_reason() -> None:
    with socket.create_server((HOST, 0)) as sock:
        port = sock.getsockname()[1]
    client = gear.Client()
    client.addServer(HOST, port)
    client.addServer("no-such-host.invalid", 4730)
    end = time.monotonic() + WAIT
    while True:
        with pytest.raises(gear.TimeoutError) as raised:
            client.waitForServer(0.2)
        text = str(raised.value)
        if f"127.0.0.1 port {port}: Connection refused" in text and "cannot look up" in text:
            break
        assert time.monotonic() < end, text
    assert "no-such-host.invalid port 4730" in text
    client.shutdown()


def test_an_address_that_swallows_packets_holds_up_no_other(
    server: gear.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first address of the name has a full queue: its connection hangs."""
    with socket.create_server(("127.0.0.2", 0), backlog=0) as full:
        held = [socket.socket() for _ in range(4)]
        for sock in held:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        found = [(*kind, full.getsockname()), (*kind, (HOST, server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)
        start = time.monotonic()
        connection = gear.Connection("two-addresses", server.port)
        connection.connect(timeout=WAIT)
        assert time.monotonic() - start < WAIT / 2
        assert connection.echo(b"x", WAIT) == b"x"
        connection.disconnect()
        for sock in held:
            sock.close()


def test_a_thread_that_cannot_be_had_is_asked_for_again(
    server: gear.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(server.port)
    start, refused = threading.Thread.start, threading.Event()

    def refuse_once(self: threading.Thread) -> None:
        if self.name == "Gearman client connect" and not refused.is_set():
            refused.set()
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse_once)
    client.getConnection().disconnect()
    client.waitForServer(WAIT)
    assert refused.is_set()
    assert client.echo(b"x", WAIT) == b"x"
    client.shutdown()


def test_a_server_that_is_silent_is_noticed_by_a_heartbeat() -> None:
    with socket.create_server((HOST, 0)) as listener:
        client = gear.Client("beating", heartbeat=0.2)
        client.addServer(HOST, listener.getsockname()[1])
        first, _ = listener.accept()
        listener.settimeout(WAIT)
        second, _ = listener.accept()
        first.settimeout(WAIT)
        heard = b""
        while data := first.recv(4096):
            heard += data
        assert b"gear heartbeat" in heard
        client.shutdown(timeout=0)
        first.close()
        second.close()


def test_a_heartbeat_leaves_a_server_alone_that_answers(server: gear.Server) -> None:
    client = gear.Client("beating", heartbeat=0.05)
    client.addServer(HOST, server.port)
    client.waitForServer(WAIT)
    connection = client.getConnection()
    before = connection.connect_time
    received = connection.received
    end = time.monotonic() + WAIT
    while connection.received == received or time.monotonic() < end - WAIT + 0.3:
        assert time.monotonic() < end
        time.sleep(0.01)  # a heartbeat that is answered has no event
    assert connection.connect_time == before
    client.shutdown()


# TLS


def test_a_client_that_is_refused_does_not_believe_that_it_is_connected(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    server = gear.Server(0, *ours.issue(HOST), host=HOST)
    key, cert, _ = theirs.issue(HOST)
    client = gear.Client("refused")
    client.addServer(HOST, server.port, key, cert, ours.cert)
    end = time.monotonic() + WAIT
    while True:
        with pytest.raises(gear.TimeoutError) as raised:
            client.waitForServer(0.5)
        if "it may not accept this certificate" in str(raised.value):
            break
        assert time.monotonic() < end
    assert client.active_connections == []
    client.shutdown()
    server.shutdown()


def test_the_check_of_names_can_be_turned_off_for_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path / "authority")
    server = gear.Server(0, *authority.issue("elsewhere.example"), host=HOST)
    files = authority.issue("client.example")
    connection = gear.Connection(HOST, server.port, *files)
    with pytest.raises(gear.ConnectionError, match=CHECK_VARIABLE):
        connection.connect()
    monkeypatch.setenv(CHECK_VARIABLE, "0")
    trusting = gear.Connection(HOST, server.port, *files)
    trusting.connect()
    assert trusting.echo(b"x", WAIT) == b"x"
    assert f"accepting any name in the certificate of 127.0.0.1 port {server.port}" in caplog.text
    trusting.disconnect()
    server.shutdown()


# Handlers and users


class Leaving(gear.Client):
    """A client whose handlers end the program, or so they think."""

    def handleWorkData(self, packet: gear.Packet) -> NoReturn:
        raise SystemExit(3)


def test_a_handler_that_exits_ends_nothing(
    server: gear.Server, caplog: pytest.LogCaptureFixture
) -> None:
    client, worker = Leaving("leaving"), worker_of(server.port, "talk")
    client.addServer(HOST, server.port)
    client.waitForServer(WAIT)
    job = gear.Job("talk", b"")
    client.submitJob(job)
    assigned = worker.getJob(WAIT)
    assigned.sendWorkData(b"news")
    assigned.sendWorkComplete(b"done")
    assert job.wait(WAIT)
    assert client.echo(b"alive", WAIT) == b"alive"
    assert "Exception while handling" in caplog.text
    assert "SystemExit" in caplog.text
    client.shutdown()
    worker.shutdown()


def test_a_connection_of_its_own_returns_echoes_that_nobody_else_waits_for(
    server: gear.Server,
) -> None:
    connection = gear.Connection(HOST, server.port)
    connection.connect()
    connection.sendEchoReq(b"mine")
    packet = connection.readPacket()
    assert isinstance(packet, gear.Packet)
    assert packet.data == b"mine"
    assert connection.echo(b"asked for", WAIT) == b"asked for"
    connection.disconnect()


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("example.org:4730", "give the host alone, 'example.org', and the port 4730 beside it"),
        ("[::1]", "an IPv6 address has no brackets here: '::1'"),
        ("gearman://example.org:1", "give the host alone, 'example.org'"),
        (" example.org", "a host has no white space"),
        ("a b", "a host has no white space"),
    ],
)
def test_what_only_looks_like_a_host_is_refused_with_what_is_right(host: str, hint: str) -> None:
    makers: list[Callable[[], object]] = [
        lambda: gear.Client().addServer(host),
        lambda: gear.Connection(host),
        lambda: gear.AdminClient(host),
    ]
    for make in makers:
        with pytest.raises(gear.ConfigurationError) as raised:
            make()
        assert hint in str(raised.value)
    assert check_host("::1") == "::1"
    assert check_host("fe80::1%eth0") == "fe80::1%eth0"


def threads_of_gear() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("Gearman client")}


@pytest.mark.parametrize("up", [True, False])
def test_a_client_that_is_dropped_leaves_nothing(server: gear.Server, up: bool) -> None:
    before = threads_of_gear()
    client: gear.Client | None = gear.Client("dropped")
    assert client is not None
    if up:
        client.addServer(HOST, server.port)
        client.waitForServer(WAIT)
    else:
        with socket.create_server((HOST, 0)) as sock:
            port = sock.getsockname()[1]
        client.addServer(HOST, port)
    threads = threads_of_gear() - before
    assert threads
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client = None
        gc.collect()
        for thread in threads:  # one may just be trying to connect
            thread.join(WAIT)
            assert not thread.is_alive()
    assert any("was dropped without shutdown()" in str(found.message) for found in caught)


# Processes


def use_in_child(client: gear.Client, answers: Pipe) -> None:
    try:
        job = gear.Job("reverse", b"child")
        client.submitJob(job)
        answers.send((job.result(WAIT), client.getConnection().connect_time))
    except BaseException as error:
        answers.send(repr(error))
    finally:
        client.shutdown()


@pytest.mark.skipif(FORK is None, reason="this platform does not fork")
def test_a_child_makes_its_own_connections_and_leaves_those_of_its_parent(
    server: gear.Server,
) -> None:
    client, worker = client_of(server.port), worker_of(server.port, "reverse")
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                job = worker.getJob(0.1)
            except gear.TimeoutError:
                continue
            job.sendWorkComplete(job.arguments[::-1])

    working = threading.Thread(target=work)
    working.start()
    outstanding = gear.Job("nobody", b"")
    client.submitJob(outstanding)
    before = client.getConnection().connect_time
    assert FORK is not None
    ours, theirs = FORK.Pipe()
    children = [FORK.Process(target=use_in_child, args=(client, theirs)) for _ in range(3)]
    for child in children:
        child.start()
    for _ in children:
        assert ours.poll(WAIT)
        result, connect_time = ours.recv()
        assert result == b"dlihc"
        assert connect_time > before
    for child in children:
        child.join(WAIT)
        assert child.exitcode == 0
    # The parent goes on over the connection that it had.
    assert client.getConnection().connect_time == before
    assert not outstanding.complete
    job = gear.Job("reverse", b"parent")
    client.submitJob(job)
    assert job.result(WAIT) == b"tnerap"
    stop.set()
    working.join()
    worker.shutdown()
    client.shutdown()
