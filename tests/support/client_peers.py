"""Servers and clients that several tests of gear-client share."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator

from gear_client import AsyncClient, Client
from support.scripted_jobs import Jobs
from support.scripted_server import Peer, ScriptedServer

WAIT = 10


def connected(server: ScriptedServer) -> Client:
    """Return a client that is connected."""
    client = Client("me")
    client.addServer("127.0.0.1", server.port)
    client.waitForServer(WAIT)
    return client


def run(port: int, test: Callable[[AsyncClient], Awaitable[None]]) -> None:
    """Run a test on a loop of its own with a connected client that is closed afterwards."""

    async def main() -> None:
        async with AsyncClient("me") as client, asyncio.timeout(30):
            client.add_server("127.0.0.1", port)
            await client.wait_for_server(WAIT)
            await test(client)

    asyncio.run(main())


class LateJobs(Jobs):
    """Holds what it is asked back until `answer`, for questions that `late` tells of.

    Attributes:
        late: Tells of which messages the answer is held back.
        waiting: Those messages.
    """

    def __init__(self, late: Callable[[object], bool]) -> None:
        super().__init__()
        self.late = late
        self.waiting: list[tuple[Peer, object]] = []
        self.changed = threading.Condition()

    def __call__(self, peer: Peer, message: object) -> None:
        if self.late(message):
            with self.changed:
                self.waiting.append((peer, message))
                self.changed.notify_all()
        else:
            super().__call__(peer, message)

    def answer(self) -> None:
        """Answer the oldest message whose answer is held back."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.waiting, WAIT)
            peer, message = self.waiting.pop(0)
        super().__call__(peer, message)


@contextlib.contextmanager
def unread_port() -> Iterator[int]:
    """Give the port of a server that accepts connections and never reads."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]
