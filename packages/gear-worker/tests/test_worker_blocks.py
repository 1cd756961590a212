"""How a job ends with its block, on threads and on asyncio, over a scripted server."""

import asyncio
import logging

import pytest

from gear_wire.packets import BasePacket, Error, WorkComplete, WorkException, WorkFail
from gear_wire.types import Handle
from gear_worker import AsyncWorker, AsyncWorkerJob, Worker, WorkerJob
from support.scripted_server import Peer, ScriptedServer
from support.scripted_work import Work
from support.worker_peers import WAIT, run

pytest_plugins = ["support.fix_worker"]

H1, H2 = Handle(b"H:1"), Handle(b"H:2")
RAISED = WorkException(H1, b"ValueError: bad")


class Strict(Work):
    """Says of what follows the end of a job that there is no such job, as gearmand does."""

    def __init__(self) -> None:
        super().__init__()
        self._ended: set[bytes] = set()

    def __call__(self, peer: Peer, message: object) -> None:
        super().__call__(peer, message)
        if isinstance(message, WorkComplete | WorkException | WorkFail):
            if message.handle in self._ended:
                peer.send(Error(b"JOB_NOT_FOUND", b"Job given in work result not found"))
            self._ended.add(message.handle)


@pytest.fixture
def work() -> Work:
    return Strict()


def reports(server: ScriptedServer, last: BasePacket) -> list[object]:
    """Return all that was reported of jobs, once something was."""
    server.wait_for(lambda: last in server.messages)
    kinds = (WorkComplete, WorkException, WorkFail)
    return [message for message in server.messages if isinstance(message, kinds)]


class Fatal(BaseException):
    """No Exception."""


# Threads


def test_a_loop_survives_what_is_raised(
    worker: Worker, server: ScriptedServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.put(b"bad")
    work.put(b"good")
    for _ in range(2):
        with worker.getJob(WAIT) as job:
            if job.arguments == b"bad":
                raise ValueError("bad")
            job.sendWorkComplete()
    assert reports(server, WorkComplete(H2, b"")) == [RAISED, WorkFail(H1), WorkComplete(H2, b"")]
    assert "Traceback" in caplog.text
    assert "Exception in <gear.WorkerJob" in caplog.text
    assert "JOB_NOT_FOUND" not in caplog.text


def test_what_the_server_says_of_other_reports_too_many_is_logged(
    worker: Worker, server: ScriptedServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.put(b"x")
    work.put(b"y")
    job = worker.getJob(WAIT)
    job.sendWorkComplete()
    job.sendWorkFail()
    worker.getJob(WAIT)  # what the server says before it is here too
    assert "JOB_NOT_FOUND" in caplog.text


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, Fatal])
def test_what_is_no_Exception_is_reported_and_goes_on(
    worker: Worker, server: ScriptedServer, work: Work, kind: type[BaseException]
) -> None:
    work.put(b"x")
    with pytest.raises(kind), worker.getJob(WAIT):
        raise kind
    exception = WorkException(H1, kind.__qualname__.encode())
    heard = reports(server, WorkFail(H1))
    assert isinstance(heard[0], WorkException)
    assert heard[0].payload.endswith(exception.payload)
    assert heard[1:] == [WorkFail(H1)]


def test_a_block_without_a_report_fails_its_job(
    worker: Worker, server: ScriptedServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.put(b"x")
    with worker.getJob(WAIT) as job:
        job.sendWorkData(b"x")
    assert reports(server, WorkFail(H1)) == [WorkFail(H1)]
    assert "Nothing was reported of <gear.WorkerJob" in caplog.text


def test_what_is_raised_after_the_end_is_logged_alone(
    worker: Worker, server: ScriptedServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.put(b"x")
    work.put(b"y")
    with worker.getJob(WAIT) as job:
        job.sendWorkComplete()
        raise ValueError("bad")
    with worker.getJob(WAIT) as job:
        job.sendWorkFail()
    assert reports(server, WorkFail(H2)) == [WorkComplete(H1, b""), WorkFail(H2)]
    assert "ValueError: bad" in caplog.text


def test_a_report_that_is_none_is_no_end(
    worker: Worker, server: ScriptedServer, work: Work
) -> None:
    work.put(b"x")
    with worker.getJob(WAIT) as job:
        job.sendWorkComplete({})  # type: ignore[arg-type]  # what the test is about
    heard = reports(server, WorkFail(H1))
    assert isinstance(heard[0], WorkException)
    assert b"TypeError" in heard[0].payload


def test_a_job_that_was_lost_with_its_connection(
    worker: Worker, server: ScriptedServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.put(b"x")
    with worker.getJob(WAIT) as job:
        server.drop()
        with worker.connections_condition:
            assert worker.connections_condition.wait_for(
                lambda: job.connection not in worker.active_connections, WAIT
            )
        raise ValueError("bad")
    assert "was not reported: " in caplog.text
    work.put(b"y")
    with worker.getJob(WAIT) as job:
        job.sendWorkComplete()


def test_an_exception_that_cannot_be_told(
    worker: Worker, server: ScriptedServer, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.log, "propagate", False)  # what pytest keeps of it must be UTF-8

    class Untellable(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

    work.put(b"x")
    work.put(b"y")
    with worker.getJob(WAIT):
        raise Untellable
    with worker.getJob(WAIT):
        raise ValueError("\ud800")
    heard = [each for each in reports(server, WorkFail(H2)) if isinstance(each, WorkException)]
    assert b"Untellable: " in heard[0].payload
    assert heard[1].payload == b"ValueError: \\ud800"


# asyncio


def test_a_loop_survives_what_is_raised_on_asyncio(
    server: ScriptedServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(worker: AsyncWorker) -> None:
        work.put(b"bad")
        work.put(b"good")
        async for job in worker:
            async with job:
                if job.arguments == b"bad":
                    raise ValueError("bad")
                await job.complete()
                break

    run(server, test)
    assert reports(server, WorkComplete(H2, b"")) == [RAISED, WorkFail(H1), WorkComplete(H2, b"")]
    assert "Traceback" in caplog.text
    assert "Exception in <gear.AsyncWorkerJob" in caplog.text
    assert "JOB_NOT_FOUND" not in caplog.text


def test_a_task_that_is_cancelled_fails_its_job(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        begun = asyncio.Event()

        async def take() -> None:
            async with await worker.get_job(WAIT):
                begun.set()
                await asyncio.Event().wait()

        work.put(b"x")
        task = asyncio.create_task(take())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(server, test)
    assert reports(server, WorkFail(H1)) == [
        WorkException(H1, b"asyncio.exceptions.CancelledError"),
        WorkFail(H1),
    ]


def test_a_block_without_a_report_fails_its_job_on_asyncio(
    server: ScriptedServer, work: Work
) -> None:
    async def test(worker: AsyncWorker) -> None:
        work.put(b"x")
        async with await worker.get_job(WAIT):
            pass

    run(server, test)
    assert reports(server, WorkFail(H1)) == [WorkFail(H1)]


def test_a_job_that_was_lost_with_its_connection_on_asyncio(
    server: ScriptedServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(worker: AsyncWorker) -> None:
        work.put(b"x")
        async with await worker.get_job(WAIT) as job:
            link = worker.links[0]
            server.drop()
            while link in worker.links:
                await asyncio.sleep(0)
            await job.complete()
        work.put(b"y")
        async with await worker.get_job(WAIT) as job:
            await job.complete()

    run(server, test)
    assert "was not reported: " in caplog.text


# A job that came over no connection


def test_a_job_of_no_connection(caplog: pytest.LogCaptureFixture) -> None:
    with WorkerJob(b"H:1", "work", b"") as job:
        assert job.handle == b"H:1"
        raise ValueError("bad")
    assert "was not reported: " in caplog.text
    assert "came over no connection" in caplog.text
    assert logging.getLogger("gear.Worker").name in {record.name for record in caplog.records}


def test_a_job_of_no_connection_on_asyncio(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with AsyncWorkerJob(b"H:1", "work", b""):
            pass

    asyncio.run(test())
    assert "was not reported: " in caplog.text
