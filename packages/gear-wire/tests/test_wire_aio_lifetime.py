"""To which loop and process an asyncio client belongs, and what goes with it when it is dropped."""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection as Pipe

import pytest

from gear_wire.errors import GearmanError
from gear_wire.link.aio.client import AsyncBaseClient, AsyncLink
from gear_wire.packets import BasePacket, EchoReq, EchoRes, Noop
from gear_wire.session import Session
from support.scripted_server import Peer, ScriptedServer, scripted_server


class Listener(Session):
    """Says nothing."""

    def apply(self, packet: BasePacket) -> object:
        return packet


class Client(AsyncBaseClient):
    """Notes what comes; a NOOP is the end."""

    end: BaseException | None = None

    def __init__(self) -> None:
        super().__init__("lifetime")
        self.seen: asyncio.Queue[object] = asyncio.Queue()

    def _new_session(self, link: AsyncLink) -> Session:
        return Listener()

    def _applied(self, link: AsyncLink, packet: BasePacket, result: object) -> None:
        if isinstance(packet, Noop) and self.end is not None:
            raise self.end
        self.seen.put_nowait(packet)


async def connected(server: ScriptedServer) -> Client:
    client = Client()
    client.add_server("127.0.0.1", server.port)
    await client.wait_for_server(10)
    await asyncio.to_thread(server.wait_for, lambda: server.peers)
    return client


async def works(client: Client) -> None:
    client.get_link().send(EchoReq(b"x"))
    assert await asyncio.wait_for(client.seen.get(), 10) == EchoRes(b"x")


async def ended(server: ScriptedServer) -> None:
    """Wait until the server has seen the end of its connections."""
    for peer in server.peers:
        async with asyncio.timeout(10):
            while peer.sock.fileno() >= 0:
                await asyncio.sleep(0.01)  # its thread closes it when it has seen the end


# Loops


def test_another_loop_is_refused_and_disturbs_nothing() -> None:
    with scripted_server() as server:

        async def main() -> None:
            client = await connected(server)
            link = client.get_link()
            calls: list[Callable[[], Awaitable[object]]] = [
                client.wait_for_server,
                client.close,
                link.drain,
                link.flush,
                lambda: link.send_command(b"version\n"),
            ]

            async def add() -> None:
                client.add_server("127.0.0.1", 1)

            async def turn() -> None:
                client.get_link()

            async def send() -> None:
                link.send(Noop())

            def elsewhere() -> None:
                for call in (*calls, add, turn, send):

                    async def use(call: Callable[[], Awaitable[object]] = call) -> None:
                        await call()

                    with pytest.raises(GearmanError, match="belongs to another event loop"):
                        asyncio.run(use())
                with pytest.raises(GearmanError, match="belongs to another event loop"):
                    client.get_link()

            await asyncio.to_thread(elsewhere)
            await works(client)
            await client.close()

        asyncio.run(main())


def test_without_a_loop() -> None:
    with pytest.raises(GearmanError, match="no event loop runs"):
        Client().add_server("localhost")


@pytest.mark.parametrize("end", ["client.close()", "None"])
def test_a_loop_that_ended_without_close_leaves_no_noise(end: str) -> None:
    program = f"""
import asyncio, gc
from gear_wire.link.aio.client import AsyncBaseClient
from gear_wire.session import Session

class Client(AsyncBaseClient):
    def _new_session(self, link):
        return Session()

async def main(client):
    client.add_server("127.0.0.1", PORT)
    await client.wait_for_server(10)

client = Client()
loop = asyncio.new_event_loop()
loop.run_until_complete(main(client))
loop.close()
if {end!r} != "None":
    asyncio.run({end})
del client
gc.collect()
print("fine")
"""
    with scripted_server() as server:
        done = subprocess.run(
            [sys.executable, "-c", program.replace("PORT", str(server.port))],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.stdout == "fine\n"
    assert "Exception ignored" not in done.stderr
    assert "Traceback" not in done.stderr


# Dropping


def test_one_that_is_dropped_warns_and_closes_its_connections() -> None:
    with scripted_server() as server:

        async def main() -> None:
            client = await connected(server)
            with pytest.warns(ResourceWarning, match="was dropped without close"):
                del client
                gc.collect()
            await ended(server)
            await asyncio.sleep(0.2)
            assert len(server.peers) == 1  # and it does not connect again

        asyncio.run(main())


def test_one_that_is_dropped_by_another_thread() -> None:
    with scripted_server() as server:

        async def main() -> None:
            kept = [await connected(server)]

            def drop() -> None:
                kept.clear()
                gc.collect()

            with pytest.warns(ResourceWarning, match="was dropped without close"):
                await asyncio.to_thread(drop)
            await ended(server)

        asyncio.run(main())


def test_one_that_was_closed_or_never_connected_is_dropped_in_silence(
    recwarn: pytest.WarningsRecorder,
) -> None:
    with scripted_server() as server:

        async def main() -> None:
            client = await connected(server)
            await client.close()

        asyncio.run(main())
    Client()
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


# Other processes


def child(client: Client, pipe: Pipe) -> None:
    """Try to use what was inherited, tell what came of it, and stay until told to go."""

    async def use() -> None:
        await client.wait_for_server(1)

    try:
        asyncio.run(use())
    except GearmanError as error:
        pipe.send(str(error))
    asyncio.run(client.close())
    sockets = []
    for descriptor in range(3, 256):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as sock:
            with contextlib.suppress(OSError):
                sockets.append(sock.getpeername())
    pipe.send([name for name in sockets if isinstance(name, tuple)])
    pipe.recv()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_lets_go_of_its_parents_connections() -> None:
    with scripted_server() as server:

        async def main() -> None:
            client = await connected(server)
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.get_context("fork").Process(
                target=child, args=(client, theirs)
            )
            process.start()
            try:
                said = await asyncio.to_thread(ours.recv)
                assert f"belongs to process {os.getpid()}, from which this one was forked" in said
                names = await asyncio.to_thread(ours.recv)
                assert ("127.0.0.1", server.port) not in names
                await works(client)
                await client.close()
                await ended(server)  # though the child lives
            finally:
                ours.send("go")
                await asyncio.to_thread(process.join)
            assert process.exitcode == 0
            ours.close()
            theirs.close()

        asyncio.run(main())


# Whatever is raised


def test_sys_exit_in_what_a_packet_causes_ends_the_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def answer(peer: Peer, message: object) -> None:
        peer.send(Noop())

    with scripted_server(answer) as server:

        async def main() -> None:
            client = await connected(server)
            client.end = SystemExit(7)
            client.get_link().send(Noop())
            await client.seen.get()

        with pytest.raises(SystemExit) as caught:
            asyncio.run(main())
        assert caught.value.code == 7
        asyncio.run(ended(server))
    assert "Exception while handling a packet" in caplog.text


def test_any_other_exception_is_logged_and_disturbs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with scripted_server() as server:

        async def main() -> None:
            client = await connected(server)
            client.end = asyncio.CancelledError("odd")
            server.peers[0].send(Noop())
            await works(client)
            await client.close()

        asyncio.run(main())
    assert "odd" in caplog.text
