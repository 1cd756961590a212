"""A scripted server and a worker of it, which most tests of gear-worker share.

Not in all tests' plugins: those of a distribution alone may have no gear-worker.
"""

from collections.abc import Iterator

import pytest

from gear_worker import Worker
from support.scripted_server import ScriptedServer, scripted_server
from support.scripted_work import Work
from support.worker_peers import connect


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def server(work: Work) -> Iterator[ScriptedServer]:
    with scripted_server(work) as server:
        yield server


@pytest.fixture
def worker(server: ScriptedServer) -> Iterator[Worker]:
    worker = Worker("me")
    yield connect(worker, server)
    worker.shutdown()
