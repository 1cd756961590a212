"""Fixtures of the interop tests: servers for the whole run, programs for one test or for all."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Server, start_geard
from support.fix_peers import Gearmand

from .programs import (
    ClientProgram,
    Processes,
    StartWorker,
    Toolbox,
    WorkerProgram,
    start_gear016,
)

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def geard_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One geard for all tests; each has functions of its own."""
    server = start_geard(tmp_path_factory.mktemp("geard"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gearmand_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One gearmand for all tests."""
    server = Gearmand(tmp_path_factory.mktemp("gearmand"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gear016_program(toolbox: Toolbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server of gear 0.16 for all tests."""
    server = start_gear016(toolbox, tmp_path_factory.mktemp("gear016"))
    yield server
    server.stop()


def running(request: pytest.FixtureRequest, name: str) -> Server:
    """Return the server of this name."""
    server: Server = request.getfixturevalue(f"{name}_program")
    return server


@pytest.fixture(params=["geard", "gearmand"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    return running(request, request.param)


@pytest.fixture(scope="session")
def toolbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Toolbox:
    """The command lines of the programs."""
    cache: Path = request.config.cache.mkdir("interop")
    return Toolbox(tmp_path_factory.mktemp("programs"), cache)


@pytest.fixture
def prefix() -> str:
    """What the names of this test's functions begin with."""
    return f"t{next(_NUMBERS)}."


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Programs that end with the test."""
    processes = Processes()
    yield processes
    processes.stop()


@pytest.fixture
def client(request: pytest.FixtureRequest, toolbox: Toolbox, processes: Processes) -> ClientProgram:
    """A client of another library; the parameter is its name and the server's."""
    program, name = request.param
    command = toolbox.command(program, "client")
    return ClientProgram(program, command, running(request, name), processes)


@pytest.fixture
def start_worker(toolbox: Toolbox, processes: Processes, prefix: str) -> StartWorker:
    """Starts a worker of another library for this test alone."""

    def start(program: str, server: Server) -> WorkerProgram:
        command = toolbox.command(program, "worker")
        return WorkerProgram(program, command, server, prefix, processes)

    return start


@pytest.fixture(scope="session")
def shared_workers(toolbox: Toolbox) -> Iterator[StartWorker]:
    """Gives workers of other libraries that do jobs for all tests."""
    processes = Processes()
    workers: dict[tuple[str, int], WorkerProgram] = {}

    def start(program: str, server: Server) -> WorkerProgram:
        key = (program, server.port)
        if key not in workers:
            command = toolbox.command(program, "worker")
            workers[key] = WorkerProgram(program, command, server, f"{program}.", processes)
        return workers[key]

    yield start
    processes.stop()


@pytest.fixture
def worker(request: pytest.FixtureRequest, shared_workers: StartWorker) -> WorkerProgram:
    """A worker of another library; the parameter is its name and the server's."""
    program, name = request.param
    return shared_workers(program, running(request, name))
