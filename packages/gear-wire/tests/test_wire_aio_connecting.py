"""How an asyncio client connects, on asyncio's loop and on uvloop: who answers, who refuses."""

import asyncio
import contextlib
import importlib.util
import logging
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from gear_wire.errors import ConfigurationError, TimeoutError
from gear_wire.link.aio.client import AsyncBaseClient, AsyncLink
from gear_wire.link.heartbeat import PAYLOAD
from gear_wire.link.tls import TLSFiles
from gear_wire.packets import BasePacket, EchoReq, EchoRes, Noop
from gear_wire.session import Session
from support.scripted_server import Peer, ScriptedServer, echo, scripted_server
from support.swallowing import swallowing_port

Loop = Callable[[], asyncio.AbstractEventLoop]


class Listener(Session):
    """Says nothing."""

    def apply(self, packet: BasePacket) -> object:
        return packet


class Client(AsyncBaseClient):
    """Notes what comes."""

    def __init__(self, heartbeat: float | None = None) -> None:
        super().__init__("connecting", heartbeat=heartbeat)
        self.seen: asyncio.Queue[object] = asyncio.Queue()

    def _new_session(self, link: AsyncLink) -> Session:
        return Listener()

    def _applied(self, link: AsyncLink, packet: BasePacket, result: object) -> None:
        self.seen.put_nowait(packet)

    def _lost(self, link: AsyncLink) -> None:
        self.seen.put_nowait("lost")


def loops() -> dict[str, Loop]:
    """Return the loops there are: clients of others run on uvloop, which has its own transports."""
    known: dict[str, Loop] = {"asyncio": asyncio.SelectorEventLoop}
    if importlib.util.find_spec("uvloop") is not None:
        import uvloop

        known["uvloop"] = uvloop.new_event_loop
    return known


@pytest.fixture(params=list(loops().values()), ids=list(loops()))
def loop(request: pytest.FixtureRequest) -> Loop:
    """What makes a loop."""
    factory: Loop = request.param
    return factory


def run(
    loop: Loop, test: Callable[[Client], Awaitable[None]], heartbeat: float | None = None
) -> None:
    """Run a test on a loop of its own with a client that is closed afterwards."""

    async def main() -> None:
        async with Client(heartbeat) as client, asyncio.timeout(20):
            await test(client)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


def files(folder: Path, authority: trustme.CA, trusted: trustme.CA) -> TLSFiles:
    """Return the files of who has a certificate of one authority, and trusts another."""
    folder.mkdir()
    files = TLSFiles(*(str(folder / name) for name in ("key", "cert", "ca")))
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(files.key)
    certificate.cert_chain_pems[0].write_to_path(files.cert)
    trusted.cert_pem.write_to_path(files.ca)
    return files


# Who answers


def test_a_name_whose_first_address_swallows_packets(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server() as server, swallowing_port() as hole:

        async def test(client: Client) -> None:
            running = asyncio.get_running_loop()
            look_up = running.getaddrinfo

            async def look_up_two(host: str, port: int, **options: int) -> object:
                if host != "two-addresses":
                    return await look_up(host, port, **options)
                kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
                return [(*kind, ("127.0.0.1", port)) for port in (hole, server.port)]

            monkeypatch.setattr(running, "getaddrinfo", look_up_two)
            begun = time.monotonic()
            client.add_server("two-addresses", server.port)
            await client.wait_for_server(5)
            assert time.monotonic() - begun < 4
            client.get_link().send(EchoReq(b"x"))
            assert await client.seen.get() == EchoRes(b"x")

        run(loop, test)


def test_the_reason_of_each_server_that_is_not_there(loop: Loop) -> None:
    with scripted_server() as server:
        port = server.port

    async def test(client: Client) -> None:
        with pytest.raises(TimeoutError, match="no server was added"):
            await client.wait_for_server(0.01)
        client.add_server("127.0.0.1", port)
        client.add_server("a..b")
        await asyncio.sleep(0.2)
        with pytest.raises(TimeoutError) as caught:
            await client.wait_for_server(0.1)
        assert f"127.0.0.1 port {port}: Connection refused" in str(caught.value)
        assert "a..b port 4730: " in str(caught.value)

    run(loop, test)


def test_a_server_that_is_down_is_warned_of_once_and_once_when_it_is_back(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]

        def lines(level: int) -> list[str]:
            return [line.getMessage() for line in caplog.records if line.levelno == level]

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", port)
            while len([line for line in lines(logging.DEBUG) if "Cannot connect" in line]) < 2:
                await asyncio.sleep(0.01)  # a log has no event to wait for
            reserved.listen()
            await client.wait_for_server(10)
            peer, _ = reserved.accept()
            peer.close()
            assert await client.seen.get() == "lost"
            await client.wait_for_server(10)
            reserved.accept()[0].close()

        run(loop, test)
    place = f"127.0.0.1 port {port}"
    down, back = lines(logging.WARNING)
    assert down == f"Cannot connect to {place}: Connection refused; retrying"
    assert back.startswith(f"Connected to {place} after ")
    assert f"Lost the connection to {place}: the server closed the connection" in lines(
        logging.INFO
    )
    assert f"Connected to {place}" in lines(logging.INFO)


# Who refuses


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_the_server_refuses_is_not_connected(
    loop: Loop, version: ssl.TLSVersion, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    mine = files(tmp_path / "client", ours, theirs)
    context = files(tmp_path / "server", theirs, theirs).server_context()
    context.minimum_version = context.maximum_version = version
    with scripted_server(context=context) as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port, mine.key, mine.cert, mine.ca)
            with pytest.raises(TimeoutError, match=r"no server was connected.*alert unknown ca"):
                await client.wait_for_server(0.5)

        run(loop, test)
    assert "alert unknown ca" in caplog.text


def test_a_server_that_says_nothing_after_its_handshake(loop: Loop, tmp_path: Path) -> None:
    """It sends no tickets, and so is asked for an echo."""
    authority = trustme.CA()
    mine = files(tmp_path / "client", authority, authority)
    context = files(tmp_path / "server", authority, authority).server_context()
    context.num_tickets = 0
    with scripted_server(context=context) as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port, mine.key, mine.cert, mine.ca)
            await client.wait_for_server(5)

        run(loop, test)
        server.wait_for(lambda: server.messages == [EchoReq(PAYLOAD)])


def test_a_peer_that_never_shakes_hands(loop: Loop, tmp_path: Path) -> None:
    authority = trustme.CA()
    mine = files(tmp_path / "client", authority, authority)
    with socket.create_server(("127.0.0.1", 0)) as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.getsockname()[1], mine.key, mine.cert, mine.ca)
            with pytest.raises(TimeoutError, match="no answer yet"):
                await client.wait_for_server(0.2)
            begun = time.monotonic()
            await client.close()
            assert time.monotonic() - begun < 4

        run(loop, test)


# Who is silent


def test_a_server_that_does_not_answer_a_heartbeat_is_given_up(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with scripted_server(lambda peer, message: None) as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            assert await client.seen.get() == "lost"
            await client.wait_for_server(10)

        run(loop, test, heartbeat=0.1)
        assert EchoReq(PAYLOAD) in server.messages
    assert "no answer to a heartbeat in 0.1 s" in caplog.text


def test_a_loop_that_is_held_up_is_not_taken_for_a_silent_server(loop: Loop) -> None:
    """Nobody reads meanwhile, but the server has answered."""
    asked = threading.Event()

    def answer(peer: Peer, message: object) -> None:
        asked.set()
        time.sleep(0.3)  # the loop is held up by then
        echo(peer, message)

    with scripted_server(answer) as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            await client.wait_for_server(10)
            while not asked.is_set():
                await asyncio.sleep(0)
            time.sleep(1.5)
            assert await client.seen.get() == EchoRes(PAYLOAD)

        run(loop, test, heartbeat=0.5)
        assert len(server.peers) == 1


def test_a_server_that_answers_heartbeats_is_kept(loop: Loop) -> None:
    with scripted_server() as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            for _ in range(3):
                assert await client.seen.get() == EchoRes(PAYLOAD)

        run(loop, test, heartbeat=0.05)
        assert len(server.peers) == 1


def test_a_server_that_talks_is_not_asked(loop: Loop) -> None:
    ended = threading.Event()

    def talk(server: ScriptedServer) -> None:
        server.wait_for(lambda: server.peers)
        with contextlib.suppress(OSError):  # the client has ended
            while not ended.wait(0.05):
                server.peers[0].send(Noop())

    with scripted_server() as server:
        talking = threading.Thread(target=talk, args=(server,))
        talking.start()

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            for _ in range(20):
                assert await client.seen.get() == Noop()

        try:
            run(loop, test, heartbeat=0.5)
        finally:
            ended.set()
            talking.join()
        assert server.messages == []


@pytest.mark.parametrize("heartbeat", [0, -1])
def test_a_heartbeat_that_cannot_be_kept(heartbeat: float) -> None:
    with pytest.raises(ConfigurationError, match="a heartbeat is a positive number"):
        Client(heartbeat)


# What leaves at the end


def test_closing_over_a_slow_reader_that_talks(loop: Loop) -> None:
    """What comes for a socket that is closed would reset it, and what it has sent were lost."""
    much = EchoReq(bytes(9 << 20))
    reading, asked = threading.Event(), threading.Event()

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, Noop):
            asked.set()
            assert reading.wait(10)
            peer.send(Noop())
        else:
            echo(peer, Noop())

    with scripted_server(answer) as server:

        async def test(client: Client) -> None:
            client.add_server("127.0.0.1", server.port)
            await client.wait_for_server(10)
            client.get_link().send(Noop())
            assert await asyncio.to_thread(asked.wait, 10)
            client.get_link().send(much)
            asyncio.get_running_loop().call_later(0.1, reading.set)

        run(loop, test)
        server.wait_for(lambda: much in server.messages)


def test_a_loop_that_ends_without_closing_sends_what_was_queued(loop: Loop) -> None:
    much = EchoReq(bytes(9 << 20))
    with scripted_server(lambda peer, message: None) as server:
        kept: list[Client] = []

        async def main() -> None:
            client = Client()
            kept.append(client)
            client.add_server("127.0.0.1", server.port)
            await client.wait_for_server(10)
            client.get_link().send(much)

        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(main())
        server.wait_for(lambda: much in server.messages)


def test_a_thread_that_cannot_be_had_is_asked_for_again() -> None:
    """The system has no more threads to give; asyncio looks up names in one."""

    async def test(client: Client) -> None:
        refused = asyncio.Event()

        class Executor(ThreadPoolExecutor):
            def submit(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]  # whatever it is
                if not refused.is_set():
                    refused.set()
                    raise RuntimeError("can't start new thread")
                return super().submit(*args, **kwargs)  # type: ignore[arg-type]  # likewise

        asyncio.get_running_loop().set_default_executor(Executor(1))
        with scripted_server() as server:
            client.add_server("localhost", server.port)
            await client.wait_for_server(10)
            assert refused.is_set()

    run(asyncio.SelectorEventLoop, test)
