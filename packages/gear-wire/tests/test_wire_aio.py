"""AsyncBaseClient and AsyncLink over real sockets."""

import asyncio
import contextlib
import functools
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest
import trustme

from gear_wire.errors import (
    ConfigurationError,
    ConnectionError,
    InterruptedError,
    InvalidDataError,
    NoConnectedServersError,
    TimeoutError,
)
from gear_wire.framing import HEADER
from gear_wire.link.address import Keepalive
from gear_wire.link.aio.client import AsyncBaseClient, AsyncLink
from gear_wire.link.deadline import Deadline
from gear_wire.link.tls import TLSFiles
from gear_wire.packets import BasePacket, EchoReq, EchoRes, JobCreated, Noop, PreSleep, SetClientID
from gear_wire.session import Session
from gear_wire.types import ClientID, Handle
from support.scripted_server import Peer, scripted_server


class Greeting(Session):
    """Introduces itself, answers NOOP with PRE_SLEEP, and stumbles over one handle."""

    def greet(self) -> None:
        self.queue(SetClientID(ClientID(b"me")))

    def apply(self, packet: BasePacket) -> object:
        if isinstance(packet, Noop):
            self.queue(PreSleep())
        if packet == JobCreated(Handle(b"H:bad")):
            raise RuntimeError("a session that raises")
        return packet


class Client(AsyncBaseClient):
    """A client that only notes what comes and goes."""

    def __init__(self) -> None:
        super().__init__("aio")
        self.seen: asyncio.Queue[object] = asyncio.Queue()

    def _new_session(self, link: AsyncLink) -> Session:
        return Greeting()

    def _applied(self, link: AsyncLink, packet: BasePacket, result: object) -> None:
        self.seen.put_nowait(result)

    def _lost(self, link: AsyncLink) -> None:
        self.seen.put_nowait("lost")

    async def next(self) -> object:
        async with asyncio.timeout(10):
            return await self.seen.get()


def run(test: Callable[[Client], Awaitable[None]]) -> None:
    """Run a test on a loop of its own with a client that is closed afterwards."""

    async def main() -> None:
        async with Client() as client, asyncio.timeout(20):
            await test(client)

    asyncio.run(main())


def test_it_connects_and_greets() -> None:
    with scripted_server() as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", str(server.port))
            await client.wait_for_server(10)
            (link,) = client.links
            assert link is client.get_link()
            assert link.connected
            assert link.connect_time
            link.send(EchoReq(b"a\0b"))
            assert await client.next() == EchoRes(b"a\0b")

        run(test)
        server.wait_for(lambda: server.messages == [SetClientID(ClientID(b"me")), EchoReq(b"a\0b")])


def test_what_a_session_says_leaves_at_once() -> None:
    with scripted_server() as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            await client.wait_for_server(10)
            await asyncio.to_thread(server.wait_for, lambda: server.peers)
            server.peers[0].send(Noop())
            assert await client.next() == Noop()

        run(test)
        server.wait_for(lambda: PreSleep() in server.messages)


def test_it_reconnects_and_greets_again() -> None:
    with scripted_server() as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            await client.wait_for_server(10)
            await asyncio.to_thread(server.wait_for, lambda: len(server.messages) == 1)
            server.drop()
            assert await client.next() == "lost"
            await client.wait_for_server(10)
            await asyncio.to_thread(server.wait_for, lambda: len(server.messages) == 2)

        run(test)


def test_a_packet_that_cannot_be_applied_stalls_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with scripted_server() as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            await client.wait_for_server(10)
            await asyncio.to_thread(server.wait_for, lambda: server.peers)
            server.peers[0].send(JobCreated(Handle(b"H:bad")))
            server.peers[0].send(JobCreated(Handle(b"H:1")))
            assert await client.next() == JobCreated(Handle(b"H:1"))

        run(test)
    assert "a session that raises" in caplog.text


def test_a_packet_of_unknown_type_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    with scripted_server() as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            await client.wait_for_server(10)
            await asyncio.to_thread(server.wait_for, lambda: server.peers)
            server.peers[0].sock.sendall(HEADER.pack(int.from_bytes(b"\0RES\0\0\0\x65"), 0))
            assert await client.next() == "lost"
            await client.wait_for_server(10)

        run(test)
    assert "because of what it sent: unknown packet type 101" in caplog.text


def test_bytes_that_are_no_gearman_break_the_connection() -> None:
    def answer(peer: Peer, message: object) -> None:
        peer.sock.sendall(b"\0XXX" + bytes(8))

    with scripted_server(answer) as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            assert await client.next() == "lost"

        run(test)


def test_servers_take_turns_and_go() -> None:
    with scripted_server() as one, scripted_server() as two:

        async def test(client: Client) -> None:
            for server in (one, two):
                client.add_server("127.0.0.1", server.port)
            while len(client.links) < 2:
                await client._changed.wait()
            ports = [client.get_link().port for _ in range(4)]
            assert sorted(ports[:2]) == sorted((one.port, two.port))
            assert ports[:2] == ports[2:]

        run(test)


def test_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    with scripted_server() as server:
        port = server.port

    async def test(client: Client) -> None:
        client.add_server("127.0.0.1", port)
        with pytest.raises(TimeoutError, match=r"0\.1 s"):
            await client.wait_for_server(0.1)
        with pytest.raises(NoConnectedServersError):
            client.get_link()

    run(test)
    assert f"Cannot connect to 127.0.0.1 port {port}" in caplog.text


def test_a_host_that_cannot_be_looked_up_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def test(client: Client) -> None:
        caplog.set_level(logging.DEBUG, client.log.name)
        client.add_server("a..b")
        while caplog.text.count("Cannot connect to a..b") < 2:
            await asyncio.sleep(0.01)  # a log has no event to wait for

    run(test)


def test_closing_wakes_who_waits() -> None:
    async def test(client: Client) -> None:
        waiting = asyncio.ensure_future(client.wait_for_server())
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(InterruptedError):
            await waiting
        with pytest.raises(InterruptedError):
            client.add_server("127.0.0.1")
        await client.close()

    run(test)


def test_what_was_written_leaves_before_the_end() -> None:
    data = bytes(range(256)) * (1 << 14)
    with scripted_server(lambda peer, message: None) as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            await client.wait_for_server(10)
            client.get_link().send(EchoReq(data))

        run(test)
        server.wait_for(lambda: EchoReq(data) in server.messages)


def test_a_server_that_takes_nothing_makes_who_sends_wait() -> None:
    blocked = threading.Event()
    size = 16 << 20

    def answer(peer: Peer, message: object) -> None:
        assert blocked.wait(10)

    with scripted_server(answer) as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            await client.wait_for_server(10)
            link = client.get_link()
            await asyncio.to_thread(server.wait_for, lambda: server.peers)
            link.send(EchoReq(bytes(size)))
            draining = asyncio.ensure_future(link.drain())
            await asyncio.sleep(0.05)
            assert not draining.done()
            blocked.set()
            await draining

        run(test)
        server.wait_for(lambda: EchoReq(bytes(size)) in server.messages)


MUCH = 9 << 20
"""Bytes, more than the kernel holds for a peer that does not read."""


@contextlib.contextmanager
def deaf_server() -> Iterator[socket.socket]:
    """A server that takes connections and never reads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_who_sends_to_a_server_that_does_not_read_waits_no_longer_than_it_said() -> None:
    with deaf_server() as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.getsockname()[1])
            await client.wait_for_server(10)
            link = client.get_link()
            link.send(EchoReq(bytes(MUCH)))
            for wait in (
                link.drain,
                link.flush,
                functools.partial(link.send_command, b"version\n"),
            ):
                with pytest.raises(TimeoutError, match=r"in 0\.1 s"):
                    await wait(Deadline(0.1))
            await client.close(0.1)

        run(test)


def test_flushing_waits_until_the_kernel_has_all() -> None:
    with deaf_server() as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.getsockname()[1])
            await client.wait_for_server(10)
            link = client.get_link()
            await link.flush(Deadline(0))  # the greeting has gone already
            link.send(EchoReq(bytes(MUCH)))
            flushing = asyncio.ensure_future(link.flush(Deadline(10)))
            peer, _ = server.accept()
            with peer:
                await asyncio.sleep(0.05)
                assert not flushing.done()
                await asyncio.to_thread(receive, peer, MUCH)
                await flushing

        run(test)


def receive(peer: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(peer.recv(1 << 20))


def test_flushing_fails_when_the_connection_is_lost() -> None:
    with deaf_server() as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.getsockname()[1])
            await client.wait_for_server(10)
            link = client.get_link()
            link.send(EchoReq(bytes(MUCH)))
            flushing = asyncio.ensure_future(link.flush())
            peer, _ = server.accept()
            await asyncio.sleep(0)
            peer.close()
            with pytest.raises(ConnectionError, match="was lost before all was sent"):
                await flushing

        run(test)


@pytest.mark.parametrize("secure", [False, True])
def test_closing_sends_what_a_slow_server_has_not_taken(secure: bool, files: TLSFiles) -> None:
    reading = threading.Event()
    asked = threading.Event()

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, PreSleep):
            asked.set()
            assert reading.wait(10)
            peer.send(Noop())  # which would make a closed socket reset the connection

    with scripted_server(answer, files.server_context() if secure else None) as server:

        async def test(client: Client) -> None:
            client.add_server(
                "127.0.0.1", server.port, *((files.key, files.cert, files.ca) if secure else ())
            )
            await client.wait_for_server(10)
            link = client.get_link()
            link.send(PreSleep())
            assert await asyncio.to_thread(asked.wait, 10)
            link.send(EchoReq(bytes(MUCH)))
            asyncio.get_running_loop().call_later(0.1, reading.set)
            await client.close()

        run(test)
        server.wait_for(lambda: EchoReq(bytes(MUCH)) in server.messages)


def test_closing_does_not_wait_for_a_server_that_never_reads() -> None:
    with deaf_server() as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.getsockname()[1])
            await client.wait_for_server(10)
            client.get_link().send(EchoReq(bytes(MUCH)))
            async with asyncio.timeout(5):
                await client.close(0.1)
            assert not client.links

        run(test)


def test_a_link_that_is_not_connected() -> None:
    with scripted_server() as server:
        port = server.port

    async def test(client: Client) -> None:
        client.add_server("127.0.0.1", port)
        (link,) = client._roster.inactive
        assert not link.connected
        with pytest.raises(ConnectionError, match="not connected"):
            link.send(Noop())
        link.send_queued()
        await link.drain()

    run(test)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("", 4730), "empty"),
        (("localhost", "http"), "1 to 65535"),
        (("localhost", 4730, "key.pem"), "missing: ssl_cert, ssl_ca"),
        (("twice", 4730), "added before"),
    ],
)
def test_settings_that_make_no_sense(arguments: tuple[str, int, str], match: str) -> None:
    async def test(client: Client) -> None:
        client.add_server("twice", 4730)
        with pytest.raises(ConfigurationError, match=match):
            client.add_server(*arguments)

    run(test)


def test_a_client_id_without_nul() -> None:
    with pytest.raises(InvalidDataError, match="a client id must not hold a NUL"):
        AsyncBaseClient("a\0b")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TLSFiles:
    """A key, its certificate for 127.0.0.1 and the authority, for both ends."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    files = TLSFiles(*(str(folder / name) for name in ("key", "cert", "ca")))
    certificate.private_key_pem.write_to_path(files.key)
    certificate.cert_chain_pems[0].write_to_path(files.cert)
    authority.cert_pem.write_to_path(files.ca)
    return files


def test_tls(files: TLSFiles) -> None:
    with scripted_server(context=files.server_context()) as server:

        async def test(client: Client) -> None:
            keepalive = Keepalive(True)
            client.add_server(
                "127.0.0.1", server.port, files.key, files.cert, files.ca, keepalive=keepalive
            )
            await client.wait_for_server(10)
            client.get_link().send(EchoReq(b"x"))
            assert await client.next() == EchoRes(b"x")

        run(test)


def test_its_name_in_logs() -> None:
    client = AsyncBaseClient(b"me")
    assert client.log is logging.getLogger("gear.AsyncClient.me")
    assert "AsyncBaseClient" in repr(client)
