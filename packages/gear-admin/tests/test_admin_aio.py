"""AsyncAdminClient over real sockets."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trustme

from gear_admin import AsyncAdminClient
from gear_wire.errors import (
    ConfigurationError,
    ConnectionError,
    DisconnectError,
    GearmanError,
    InvalidDataError,
    ServerError,
    TimeoutError,
)
from gear_wire.link.tls import TLSFiles
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
from support.scripted_server import Peer, ScriptedServer, scripted_server

REVERSE = FunctionName(b"reverse")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server(admin) as server:
        yield server


def run(
    server: ScriptedServer,
    test: Callable[[AsyncAdminClient], Awaitable[None]],
    timeout: float = 10,
) -> None:
    """Run a test on a loop of its own with a connected client that is closed afterwards."""

    async def main() -> None:
        async with (
            asyncio.timeout(20),
            AsyncAdminClient("127.0.0.1", server.port, timeout=timeout) as client,
        ):
            await test(client)

    asyncio.run(main())


def test_every_command(server: ScriptedServer) -> None:
    async def test(client: AsyncAdminClient) -> None:
        assert await client.status() == [FunctionStatus(REVERSE, 3, 1, 2)]
        assert await client.priority_status() == [FunctionQueue(REVERSE, 1, 2, 3, 4)]
        assert await client.workers() == [
            ConnectionStatus(38, "127.0.0.1", ClientID(b"me"), (REVERSE,)),
            ConnectionStatus(39, "::1", ClientID(b"-"), ()),
        ]
        job = JobStatus(Handle(b"H:1"), 0, ignored=False, queued=True)
        assert await client.show_jobs() == [job]
        assert await client.show_unique_jobs() == [b"u", b""]
        assert await client.show_functions() == [FunctionActivity(REVERSE, 3, 1, 2, 99, 1500)]
        counted = FunctionCounters(REVERSE, queued_high=3, completed=99)
        assert await client.show_counters() == [counted]
        assert await client.version() == "1.1.20+ds"
        assert await client.verbose() == "ERROR"
        assert await client.get_pid() == 123
        await client.cancel_job("H:1")
        await client.create_function(b"f")
        await client.drop_function("f")
        await client.max_queue("f", 5)
        await client.job_timeout("f", 60)
        await client.job_log("f", on=True)
        access = [AccessEntry("me", ".*", None, grant=True, see=True)]
        assert await client.access_list() == access
        await client.grant_access("see", "you")
        await client.grant_access("invoke", b"you", "f.*")
        await client.revoke_access("all", "you")
        await client.revoke_own_access("see")

    run(server, test)


def test_errors_of_the_server(server: ScriptedServer) -> None:
    async def test(client: AsyncAdminClient) -> None:
        with pytest.raises(ServerError, match="UNKNOWN_JOB"):
            await client.cancel_job(b"H:2")
        with pytest.raises(InvalidDataError, match="one word"):
            await client.drop_function("a b")
        assert await client.version() == "1.1.20+ds"

    run(server, test)


def test_a_server_that_knows_no_command() -> None:
    async def test(client: AsyncAdminClient) -> None:
        for ask in (client.status, client.workers, client.show_unique_jobs, client.get_pid):
            with pytest.raises(ServerError, match="UNKNOWN_COMMAND"):
                await ask()

    with scripted_server(old) as server:
        run(server, test)


def test_a_server_without_an_access_control_list() -> None:
    async def test(client: AsyncAdminClient) -> None:
        with pytest.raises(ServerError, match="ACL_DISABLED"):
            await client.access_list()
        with pytest.raises(ServerError, match="ACL_DISABLED"):
            await client.revoke_own_access("all")

    with scripted_server(denying) as server:
        run(server, test)


def test_forged_rows_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    async def test(client: AsyncAdminClient) -> None:
        assert await client.status() == [FunctionStatus(REVERSE, 3, 1, 2)]
        assert await client.priority_status() == [FunctionQueue(REVERSE, 1, 2, 3, 4)]
        assert [row.client_id for row in await client.workers()] == [b"me"]
        assert [row.handle for row in await client.show_jobs()] == [b"H:1"]

    with scripted_server(forged) as server:
        run(server, test)
    lines = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert len(lines) == 4
    assert all(line.isprintable() and line.startswith("Skipped ") for line in lines)


def test_questions_asked_at_once_are_answered_in_turn(server: ScriptedServer) -> None:
    async def test(client: AsyncAdminClient) -> None:
        versions = await asyncio.gather(*(client.version() for _ in range(20)))
        assert versions == ["1.1.20+ds"] * 20

    run(server, test)


def test_no_reply_in_time_ends_the_connection(server: ScriptedServer) -> None:
    async def test(client: AsyncAdminClient) -> None:
        with pytest.raises(TimeoutError, match=r"drop function silence.* in 0\.05 s"):
            await client.drop_function("silence")
        # A late reply would be taken for the next one's.
        with pytest.raises(ConnectionError, match="not connected"):
            await client.version()
        await client.connect()
        assert await client.version() == "1.1.20+ds"

    run(server, test, timeout=0.05)


def test_a_question_that_is_cancelled_ends_the_connection(server: ScriptedServer) -> None:
    async def test(client: AsyncAdminClient) -> None:
        asking = asyncio.ensure_future(client.drop_function("silence"))
        await asyncio.to_thread(
            server.wait_for, lambda: b"drop function silence\n" in server.messages
        )
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        with pytest.raises(ConnectionError, match="not connected"):
            await client.version()

    run(server, test)


def test_a_server_that_goes(server: ScriptedServer) -> None:
    async def test(client: AsyncAdminClient) -> None:
        with pytest.raises(DisconnectError):
            await client.create_function("unknown")
        await client.connect()
        assert await client.version() == "1.1.20+ds"

    run(server, test)


def test_connecting_again_leaves_no_socket_behind(server: ScriptedServer) -> None:
    async def test(client: AsyncAdminClient) -> None:
        await client.connect()
        assert await client.version() == "1.1.20+ds"
        await client.close()
        await client.close()

    run(server, test)


@pytest.mark.parametrize("host", ["127.0.0.1", "a.invalid", "a..b"])
def test_a_server_that_is_not_there(host: str) -> None:
    with scripted_server() as server:
        port = server.port

    async def connect() -> None:
        with pytest.raises(ConnectionError, match=f"cannot connect to {host} port {port}"):
            await AsyncAdminClient(host, port).connect()

    asyncio.run(connect())


def test_a_peer_that_is_silent_over_tls(tmp_path: Path) -> None:
    """Neither asking nor closing waits for it longer than the timeout."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    files = TLSFiles(*(str(tmp_path / name) for name in ("key", "cert", "ca")))
    certificate.private_key_pem.write_to_path(files.key)
    certificate.cert_chain_pems[0].write_to_path(files.cert)
    authority.cert_pem.write_to_path(files.ca)
    ended = threading.Event()

    async def ask(port: int) -> None:
        client = AsyncAdminClient("127.0.0.1", port, files.key, files.cert, files.ca, timeout=0.3)
        await client.connect()
        with pytest.raises(TimeoutError, match=r"no reply to .*version.* in 0\.3 s"):
            await client.version()
        await client.connect()
        await client.close()

    def answer(peer: Peer, message: object) -> None:
        assert ended.wait(30)  # it does not even read the end of TLS

    with scripted_server(answer, files.server_context()) as server:
        try:
            asyncio.run(asyncio.wait_for(ask(server.port), 10))
        finally:
            ended.set()


def test_it_belongs_to_one_loop(server: ScriptedServer) -> None:
    client = AsyncAdminClient("127.0.0.1", server.port)

    async def use() -> None:
        await client.connect()
        assert await client.version() == "1.1.20+ds"

        def elsewhere() -> None:
            for call in (client.version, client.connect, client.close):
                with pytest.raises(GearmanError, match="belongs to another event loop"):
                    asyncio.run(call())

        await asyncio.to_thread(elsewhere)
        assert await client.version() == "1.1.20+ds"
        await client.close()

    asyncio.run(use())
    with pytest.raises(GearmanError, match="belongs to an event loop that has ended"):
        asyncio.run(client.version())
    asyncio.run(client.close())


def test_one_that_is_dropped_closes_its_connection(server: ScriptedServer) -> None:
    async def drop() -> None:
        client = AsyncAdminClient("127.0.0.1", server.port)
        await client.connect()
        with pytest.warns(ResourceWarning, match="was dropped without close"):
            del client
            gc.collect()
        await asyncio.to_thread(server.wait_for, lambda: server.peers)
        (peer,) = (peer.sock for peer in server.peers)
        while peer.fileno() >= 0:
            await asyncio.sleep(0.01)  # its thread has closed it when it saw the end

    asyncio.run(asyncio.wait_for(drop(), 10))


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ConfigurationError, match="missing: ssl_cert, ssl_ca"):
        AsyncAdminClient("localhost", 4730, "key.pem")
    with pytest.raises(ConfigurationError, match="1 to 65535"):
        AsyncAdminClient("localhost", 0)
