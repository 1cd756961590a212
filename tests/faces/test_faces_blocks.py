"""The loops of the documentation survive jobs that raise, and the client hears what was raised."""

from collections.abc import Iterator

import pytest

import gear
from support.fix_peers import Gearmand
from support.work_loops import LOOPS, WorkLoop

WAIT = 20.0


@pytest.fixture(params=["gear.Server", pytest.param("gearmand", marks=pytest.mark.peer)])
def address(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    if request.param == "gearmand":
        gearmand: Gearmand = request.getfixturevalue("gearmand")
        yield gearmand.host, gearmand.port
        return
    server = gear.Server(0, host="127.0.0.1")
    yield "127.0.0.1", server.port
    server.shutdown()


def work(arguments: bytes) -> bytes:
    if arguments == b"bad":
        raise ValueError("no such thing: ä")
    return arguments.upper()


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest, address: tuple[str, int]) -> Iterator[WorkLoop]:
    loop = LOOPS[request.param]([address], work)
    yield loop
    loop.close()


@pytest.fixture
def client(address: tuple[str, int]) -> Iterator[gear.Client]:
    client = gear.Client("client")
    client.addServer(*address)
    client.waitForServer(WAIT)
    yield client
    client.shutdown()


def test_the_client_hears_what_was_raised_and_the_loop_goes_on(
    loop: WorkLoop, client: gear.Client, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        bad = gear.Job("work", b"bad")
        client.submitJob(bad)
        with pytest.raises(gear.JobFailedError) as failure:
            bad.result(WAIT)
        assert failure.value.exception == "ValueError: no such thing: ä".encode()
        good = gear.Job("work", b"good %d" % number)
        client.submitJob(good)
        assert good.result(WAIT) == b"GOOD %d" % number
    # Each is logged with its traceback, and what servers say of a WORK_FAIL too many is not.
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.exc_info is not None for record in errors] == [True] * 3
