"""AdminClient, and the documented requests over a bare Connection, over real sockets."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from gear_admin import (
    AdminClient,
    CancelJobAdminRequest,
    StatusAdminRequest,
    VersionAdminRequest,
    WorkersAdminRequest,
)
from gear_wire.errors import (
    ConfigurationError,
    ConnectionError,
    DisconnectError,
    InvalidDataError,
    ServerError,
    TimeoutError,
)
from gear_wire.link.threads.connection import Connection
from gear_wire.text import (
    AccessEntry,
    ConnectionStatus,
    FunctionActivity,
    FunctionCounters,
    FunctionQueue,
    FunctionStatus,
    JobStatus,
)
from gear_wire.types import ClientID, FunctionName, Handle
from support.scripted_admin import admin, denying, forged, old
from support.scripted_server import ScriptedServer, scripted_server

REVERSE = FunctionName(b"reverse")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server(admin) as server:
        yield server


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[AdminClient]:
    with AdminClient("127.0.0.1", server.port, timeout=10) as client:
        yield client


def test_every_command(client: AdminClient) -> None:
    assert client.status() == [FunctionStatus(REVERSE, 3, 1, 2)]
    assert client.priorityStatus() == [FunctionQueue(REVERSE, 1, 2, 3, 4)]
    assert client.workers() == [
        ConnectionStatus(38, "127.0.0.1", ClientID(b"me"), (REVERSE,)),
        ConnectionStatus(39, "::1", ClientID(b"-"), ()),
    ]
    assert client.showJobs() == [JobStatus(Handle(b"H:1"), 0, ignored=False, queued=True)]
    assert client.showUniqueJobs() == [b"u", b""]
    assert client.showFunctions() == [FunctionActivity(REVERSE, 3, 1, 2, 99, 1500)]
    counted = FunctionCounters(REVERSE, queued_high=3, completed=99)
    assert client.showCounters() == [counted]
    assert client.version() == "1.1.20+ds"
    assert client.verbose() == "ERROR"
    assert client.getPid() == 123
    client.cancelJob("H:1")
    client.createFunction(b"f")
    client.dropFunction("f")
    client.maxQueue("f", 5)
    client.jobTimeout("f", 60)
    client.jobLog("f", on=True)
    assert client.accessList() == [AccessEntry("me", ".*", None, grant=True, see=True)]
    client.grantAccess("see", "you")
    client.grantAccess("invoke", b"you", "f.*")
    client.revokeAccess("all", "you")
    client.revokeOwnAccess("see")


def test_errors_of_the_server(client: AdminClient) -> None:
    with pytest.raises(ServerError, match="UNKNOWN_JOB"):
        client.cancelJob(b"H:2")
    with pytest.raises(ServerError, match="there are still connected workers"):
        client.dropFunction("busy")
    assert client.version() == "1.1.20+ds"


def test_what_is_no_word_is_not_sent(client: AdminClient, server: ScriptedServer) -> None:
    with pytest.raises(InvalidDataError, match="one word"):
        client.dropFunction("a b")
    with pytest.raises(InvalidDataError, match="one limit"):
        client.maxQueue("f", 5, 3)
    assert server.messages == []


def test_a_server_that_knows_no_command() -> None:
    with scripted_server(old) as server, AdminClient("127.0.0.1", server.port) as client:
        for ask in (client.status, client.workers, client.showUniqueJobs, client.getPid):
            with pytest.raises(ServerError, match="UNKNOWN_COMMAND: Unknown server command"):
                ask()


def test_a_server_without_an_access_control_list() -> None:
    with scripted_server(denying) as server, AdminClient("127.0.0.1", server.port) as client:
        with pytest.raises(ServerError, match="ACL_DISABLED"):
            client.accessList()
        with pytest.raises(ServerError, match="ACL_DISABLED"):
            client.revokeOwnAccess("all")


def test_forged_rows_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with scripted_server(forged) as server, AdminClient("127.0.0.1", server.port) as client:
        assert client.status() == [FunctionStatus(REVERSE, 3, 1, 2)]
        assert client.priorityStatus() == [FunctionQueue(REVERSE, 1, 2, 3, 4)]
        assert [row.client_id for row in client.workers()] == [b"me"]
        assert [row.handle for row in client.showJobs()] == [b"H:1"]
    lines = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert len(lines) == 4
    assert all(line.isprintable() and line.startswith("Skipped ") for line in lines)


def test_no_reply_in_time(server: ScriptedServer) -> None:
    with AdminClient("127.0.0.1", server.port, timeout=0.05) as client:
        with pytest.raises(TimeoutError, match=r"drop function silence.* in 0\.05 s"):
            client.dropFunction("silence")
        # A late reply, or none at all, would shift those of all later questions.
        with pytest.raises(ConnectionError, match="not connected"):
            client.version()
        client.connect()
        assert client.version() == "1.1.20+ds"


def test_connecting_takes_no_longer_than_the_timeout(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    key, cert, ca = (str(tmp_path / name) for name in ("key", "cert", "ca"))
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(cert)
    authority.cert_pem.write_to_path(ca)
    with socket.create_server(("127.0.0.1", 0)) as listener:  # it never shakes hands
        client = AdminClient("127.0.0.1", listener.getsockname()[1], key, cert, ca, 0.2)
        begun = time.monotonic()
        with pytest.raises(ConnectionError, match="cannot connect"):
            client.connect()
        assert time.monotonic() - begun < 5


def test_a_server_that_goes(client: AdminClient) -> None:
    with pytest.raises(DisconnectError):
        client.createFunction("unknown")
    with pytest.raises(ConnectionError, match="not connected"):
        client.version()
    client.connect()
    assert client.version() == "1.1.20+ds"


def test_before_and_after(server: ScriptedServer) -> None:
    client = AdminClient("127.0.0.1", server.port)
    with pytest.raises(ConnectionError, match="not connected"):
        client.version()
    client.connect()
    assert client.version()
    client.disconnect()
    with pytest.raises(ConnectionError, match="not connected"):
        client.version()
    with pytest.raises(ConfigurationError, match="missing: ssl_cert, ssl_ca"):
        AdminClient("localhost", 4730, "key.pem")


# The documented requests


@pytest.fixture
def connection(server: ScriptedServer) -> Iterator[Connection]:
    connection = Connection("127.0.0.1", server.port)
    connection.connect()
    yield connection
    connection.disconnect()


def test_requests_over_a_bare_connection(connection: Connection) -> None:
    status, workers, version = StatusAdminRequest(), WorkersAdminRequest(), VersionAdminRequest()
    for request in (status, workers, version):
        connection.sendAdminRequest(request)
    assert status.response == b"reverse\t3\t1\t2\n.\n"
    assert [row.client_id for row in workers.rows()] == [b"me", b"-"]
    assert version.version() == "1.1.20+ds"
    assert connection.admin_requests == []


def test_one_line_and_error_replies_complete(connection: Connection) -> None:
    good, bad = CancelJobAdminRequest("H:1"), CancelJobAdminRequest("H:2")
    connection.sendAdminRequest(good, timeout=10)
    connection.sendAdminRequest(bad, timeout=10)
    assert (good.response, bad.response) == (b"OK\r\n", b"ERR UNKNOWN_JOB\r\n")


def test_several_threads_ask_over_one_connection(connection: Connection) -> None:
    replies: list[bytes | None] = []

    def ask() -> None:
        for _ in range(10):
            request = StatusAdminRequest()
            connection.sendAdminRequest(request, timeout=10)
            replies.append(request.response)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == [b"reverse\t3\t1\t2\n.\n"] * 40
