"""A job server for tests, with clients and workers; its pytest fixtures are in `pytest_plugin`.

It needs gear-client and gear-worker only for the clients and workers that it makes.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from gear_server.engine.state import ServerJob
from gear_server.face.connections import ServerConnection
from gear_server.face.server import Server
from gear_wire.errors import ConfigurationError, TimeoutError

if TYPE_CHECKING:
    from types import ModuleType

    # The tests' side alone: a server knows neither clients nor workers.
    from gear_client import Client
    from gear_client.async_client import AsyncClient
    from gear_wire.functions.app import App
    from gear_worker import Worker
    from gear_worker.async_worker import AsyncWorker
    from gear_worker.runner import BackgroundRunner, RunnerSettings

CONNECT_TIMEOUT = 10.0


class HoldingServer(Server):
    """A server that can keep its queued jobs back.

    Attributes:
        passed: The handles of the jobs that are let go.
        holding: Whether jobs are kept back.
    """

    def __init__(self, *, tls: tuple[str, str, str] | None = None) -> None:
        self.passed: set[bytes] = set()
        self.holding: bool = False
        key, cert, ca = tls or (None, None, None)
        super().__init__(0, key, cert, ca, host="127.0.0.1")

    def getJobForConnection(
        self, connection: ServerConnection, peek: bool = False
    ) -> ServerJob | None:
        """Return the next job for a worker that is not kept back."""
        if not self.holding:
            return super().getJobForConnection(connection, peek)
        with self.lock:
            for job in self.getQueue():
                if job.name in connection.abilities and job.handle in self.passed:
                    if not peek:
                        self._engine.queues.remove(job)
                    return job
        return None

    def release(self, pattern: str | None) -> None:
        """Let jobs go whose function matches a pattern; without one, all, and those to come."""
        with self.lock:
            if pattern is None:
                self.holding = False
                self.passed.clear()
            else:
                matches = re.compile(pattern).match
                self.passed.update(
                    job.handle
                    for job in self.getQueue()
                    if matches(job.name.decode(errors="surrogateescape"))
                )
        self.wakeConnections()

    def idle(self) -> bool:
        """Tell whether no job runs, and none is queued that is not kept back."""
        if self.running_jobs:
            return False
        return not any(not self.holding or job.handle in self.passed for job in self.getQueue())


def _module(name: str, distribution: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"this needs the distribution {distribution}: pip install {distribution}"
        ) from error


class Geard:
    """A running job server, and what a test needs around it.

    Args:
        tls: Paths of a private key, a certificate and its authority, for both ends; None for
            plaintext.

    Attributes:
        host: Where it listens.
        port: Its port.
        tls: As given.
        server: The server itself.
    """

    def __init__(self, tls: tuple[str, str, str] | None = None) -> None:
        self.tls: tuple[str, str, str] | None = tls
        self.server: HoldingServer = HoldingServer(tls=tls)
        self.host: str = "127.0.0.1"
        self.port: int = self.server.port
        self._closing = contextlib.ExitStack()

    @property
    def _files(self) -> tuple[str, str, str] | tuple[None, None, None]:
        return self.tls or (None, None, None)

    def client(self, client_id: str | bytes = "test client") -> Client:
        """Return a connected client; it is shut down with the server."""
        client: Client = _module("gear_client", "gear-client").Client(client_id)
        self._closing.callback(client.shutdown)
        client.addServer(self.host, self.port, *self._files)
        client.waitForServer(CONNECT_TIMEOUT)
        return client

    def worker(self, *functions: str | bytes, client_id: str | bytes = "test worker") -> Worker:
        """Return a connected worker that has registered functions; shut down with the server."""
        worker: Worker = _module("gear_worker", "gear-worker").Worker(client_id)
        self._closing.callback(worker.shutdown)
        for function in functions:
            worker.registerFunction(function)
        worker.addServer(self.host, self.port, *self._files)
        worker.waitForServer(CONNECT_TIMEOUT)
        return worker

    def run(self, app: App, settings: RunnerSettings | None = None) -> BackgroundRunner:
        """Run the functions of an app, in the background; it is stopped with the server.

        Args:
            app: The app.
            settings: How it is run; its servers and files for TLS do not count.
        """
        runner = _module("gear_worker.runner", "gear-worker")
        known = _module("gear_worker.runner.settings", "gear-worker")
        chosen: RunnerSettings = known.to_settings(settings)
        key, cert, ca = self._files
        chosen = msgspec.structs.replace(
            chosen, servers=(f"{self.host}:{self.port}",), ssl_key=key, ssl_cert=cert, ssl_ca=ca
        )
        background: BackgroundRunner = runner.BackgroundRunner(app, chosen)
        background.start(CONNECT_TIMEOUT)
        self._closing.callback(background.stop)
        return background

    @contextlib.asynccontextmanager
    async def async_client(
        self, client_id: str | bytes = "test client"
    ) -> AsyncIterator[AsyncClient]:
        """Give a connected client of the loop that runs; it is closed at the end of the block."""
        client: AsyncClient = _module("gear_client.async_client", "gear-client").AsyncClient(
            client_id
        )
        async with client:
            client.add_server(self.host, self.port, *self._files)
            await client.wait_for_server(CONNECT_TIMEOUT)
            yield client

    @contextlib.asynccontextmanager
    async def async_worker(
        self, *functions: str | bytes, client_id: str | bytes = "test worker"
    ) -> AsyncIterator[AsyncWorker]:
        """Give a connected worker of the loop that runs; it is closed at the end of the block."""
        worker: AsyncWorker = _module("gear_worker.async_worker", "gear-worker").AsyncWorker(
            client_id
        )
        async with worker:
            for function in functions:
                worker.register(function)
            worker.add_server(self.host, self.port, *self._files)
            await worker.wait_for_server(CONNECT_TIMEOUT)
            yield worker

    def hold(self) -> None:
        """Keep back all jobs that no worker has yet, until `release`."""
        with self.server.lock:
            self.server.passed.clear()
            self.server.holding = True

    def release(self, pattern: str | None = None) -> None:
        """Let jobs go that are kept back.

        Args:
            pattern: A regular expression that the beginning of the function's name must match;
                jobs that come later are kept back still. None: all jobs, and those to come.
        """
        self.server.release(pattern)

    def wait_until_idle(self, timeout: float | None = 10) -> None:
        """Wait until no job runs, and none is queued that is not kept back.

        Args:
            timeout: Seconds to wait; None for no limit.

        Raises:
            TimeoutError: That was not so in time.
        """
        if not self.server.waitFor(self.server.idle, timeout):
            queued = [job.handle for job in self.server.getQueue()]
            raise TimeoutError(
                f"after {timeout} s {self.server.running_jobs} jobs run and these are queued: "
                f"{queued}"
            )

    def close(self) -> None:
        """Shut down the clients and workers that were made, and the server."""
        self._closing.close()
        self.server.shutdown()
