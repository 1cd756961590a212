"""Whoever asks something while its connection is lost, made anew or closed is told, and at once."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor as Threads

import pytest

from gear_client import AsyncClient, AsyncJob, Client, Job
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.errors import ConnectionError, InterruptedError, NoConnectedServersError
from gear_wire.packet import Packet
from gear_wire.packets import BasePacket, JobCreated, SubmitJob, WorkComplete
from gear_wire.types import Handle
from support.client_peers import WAIT
from support.scripted_server import Peer, scripted_server


def test_a_question_that_meets_a_loss_is_not_left_without_an_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job("hold", b"")
    client.submitJob(job, timeout=WAIT)
    connection = client.getConnection()
    losing, asked = threading.Event(), threading.Event()
    drop = connection.drop

    def drop_late() -> None:
        losing.set()  # all that was awaited has been told
        assert asked.wait(WAIT)
        drop()

    monkeypatch.setattr(connection, "drop", drop_late)
    thread = threading.Thread(target=connection.disconnect)
    thread.start()
    assert losing.wait(WAIT)
    try:
        with pytest.raises(ConnectionError, match="lost before the answer"):
            client.getStatus(job, timeout=WAIT)
    finally:
        asked.set()
        thread.join(WAIT)


class Slow(Client):
    """Its first WORK_COMPLETE takes as long as the test says."""

    def __init__(self) -> None:
        super().__init__("slow")
        self.begun, self.go_on = threading.Event(), threading.Event()

    def handleWorkComplete(self, packet: Packet) -> Job:
        self.begun.set()
        assert self.go_on.wait(WAIT)
        return super().handleWorkComplete(packet)


def test_what_came_over_a_lost_connection_is_not_taken_for_what_comes_over_the_next() -> None:
    came: list[BasePacket] = [WorkComplete(Handle(b"H:one"), b""), JobCreated(Handle(b"H:lost"))]

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, SubmitJob) and message.function == b"lost":
            peer.sock.sendall(b"".join(encode(each, Magic.RES) for each in came))
        elif isinstance(message, SubmitJob):
            peer.send(JobCreated(Handle(b"H:" + message.function)))

    with scripted_server(answer) as server, Slow() as client, Threads() as threads:
        client.addServer("127.0.0.1", server.port)
        client.waitForServer(WAIT)
        client.submitJob(Job("one", b""), timeout=WAIT)
        lost = threads.submit(client.submitJob, Job("lost", b""))
        assert client.begun.wait(WAIT)
        client.getConnection().reconnect()
        with pytest.raises(NoConnectedServersError):
            lost.result(WAIT)
        other = Job("other", b"")
        submitted = threads.submit(client.submitJob, other)
        server.wait_for(lambda: any(of(each) == b"other" for each in server.messages))
        client.go_on.set()
        submitted.result(WAIT)
        assert other.handle == b"H:other"


def of(message: object) -> bytes | None:
    """Return the function that a message submits a job for."""
    return message.function if isinstance(message, SubmitJob) else None


PAYLOAD = bytes(32 << 20)


async def submitting(
    listener: socket.socket, client: AsyncClient
) -> "tuple[socket.socket, asyncio.Task[AsyncJob]]":
    """Return a server's end that does not read on, and a task that submits too much for that."""
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    client.add_server("127.0.0.1", listener.getsockname()[1])
    peer, _ = await loop.sock_accept(listener)
    await client.wait_for_server(WAIT)
    task = asyncio.create_task(client.submit("work", PAYLOAD, timeout=None))
    while b"work" not in await loop.sock_recv(peer, 4096):
        pass
    return peer, task


async def begin_to_close(client: AsyncClient, timeout: float | None) -> "asyncio.Task[None]":
    """Return a task that is closing the client, and waits for the server."""
    closing = asyncio.create_task(client.close(timeout))
    for _ in range(10):
        await asyncio.sleep(0)
    return closing


def test_a_second_close_does_not_cut_off_what_the_first_one_sends() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = AsyncClient("me")
            peer, task = await submitting(listener, client)
            closing = [await begin_to_close(client, WAIT) for _ in range(2)]
            size = 0
            with peer:
                while data := await loop.sock_recv(peer, 1 << 20):
                    size += len(data)
            await asyncio.gather(*closing)
            with pytest.raises(NoConnectedServersError, match="was closed"):
                await asyncio.wait_for(task, WAIT)
        return size

    assert asyncio.run(main()) >= len(PAYLOAD) - 4096


def test_whoever_waits_hears_of_a_second_close_that_has_less_time() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = AsyncClient("me")
            peer, task = await submitting(listener, client)
            closing = await begin_to_close(client, None)
            await client.close(0.1)
            with pytest.raises(NoConnectedServersError, match="was closed"):
                await asyncio.wait_for(task, WAIT)
            await closing
            peer.close()

    asyncio.run(main())


def test_whoever_waits_for_a_server_hears_of_a_close_that_is_cancelled() -> None:
    async def main() -> None:
        client = AsyncClient("me")
        client.add_server("192.0.2.1")
        waiting = asyncio.create_task(client.wait_for_server())
        await asyncio.sleep(0)
        closing = asyncio.create_task(client.close(None))
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(InterruptedError, match="was closed"):
            await asyncio.wait_for(waiting, WAIT)

    asyncio.run(main())
