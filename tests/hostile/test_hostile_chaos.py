"""Clients and workers over connections that are slow, split everything and break."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from support.geard_program import Geard
from support.proxy import Proxy, Trouble
from support.traffic import HOST, WAIT, Book, run_clients, workers

TROUBLE = Trouble(delay=0.002, piece=4000, life=60_000)
CALM = Trouble()
EACH = 4
NUMBER = 30


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "gear")


@contextlib.contextmanager
def serving() -> Iterator[gear.Server]:
    """A server that gives lost jobs out again without limit."""
    server = gear.Server(0, host=HOST, job_retries=-1)
    try:
        yield server
    finally:
        server.shutdown()


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what clients, workers and server logged as errors."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def check(book: Book, proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    book.check()
    assert complaints(caplog) == []
    assert proxy.cuts >= 5
    endings = book.endings()
    assert endings["complete"] > endings["lost"]
    assert endings["fail"]
    assert endings["exception"]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_job_of_a_server_is_accounted_for(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    book = Book()
    with serving() as server:
        with Proxy(server.port, TROUBLE, seed) as proxy:
            with workers(proxy.port, book, EACH):
                run_clients(proxy.port, book, EACH, NUMBER, seed)
                proxy.trouble = CALM
                assert server.waitFor(lambda: not server.total_jobs, WAIT)
            check(book, proxy, caplog)
        assert server.waitFor(lambda: not server.active_connections, WAIT)


def test_every_job_of_the_program_is_accounted_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = Book()
    with Geard(tmp_path, "--verbose", "ERROR") as geard:
        geard.ask("version")  # for its first connection, libuv opens a file that it keeps
        descriptors, threads = geard.descriptors(), geard.threads()
        with Proxy(geard.port, TROUBLE, 3) as proxy:
            with workers(proxy.port, book, EACH):
                run_clients(proxy.port, book, EACH, NUMBER, 3)
                proxy.trouble = CALM
                geard.wait_until_idle()
            check(book, proxy, caplog)
        geard.wait_until_descriptors(descriptors)
        assert geard.threads() == threads
        assert {(row.total, row.running, row.workers) for row in geard.status()} == {(0, 0, 0)}
        geard.stop()
    assert (tmp_path / "log").read_text() == ""
