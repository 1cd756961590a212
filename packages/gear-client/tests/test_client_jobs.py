"""Job and BinaryJob: attributes, waiting and results."""

import threading

import pytest

from gear_client.jobs import BinaryJob, Job
from gear_client.outcome import COMPLETED, FAILED
from gear_wire.errors import JobFailedError, TimeoutError
from gear_wire.packets import WorkData
from gear_wire.types import Handle

H1 = Handle(b"H:1")


def finish(job: Job, *data: bytes, failure: bool = False) -> None:
    for part in data:
        job._receive_data(WorkData(H1, part))
    job._end(FAILED if failure else COMPLETED)


def test_a_fresh_job() -> None:
    job = Job("reverse", "test")
    assert (job.data, list(job.binary_data), job.exception) == ([], [], None)
    assert (job.complete, job.failure, job.warning) == (False, False, False)
    assert (job.numerator, job.denominator, job.fraction_complete) == (None, None, None)
    assert (job.known, job.running) == (None, None)
    assert (job.handle, job.connection) == (None, None)


def test_subclasses_and_attributes() -> None:
    class MyJob(Job):
        def __init__(self, number: int) -> None:
            self.number = number
            super().__init__("reverse", b"")

    job = MyJob(5)
    job.__dict__["build"] = "x"
    assert (job.number, vars(job)["build"], job.name) == (5, "x", "reverse")


def test_a_result_is_all_data() -> None:
    job = Job("reverse", b"")
    finish(job, b"a", b"\0", b"b")
    assert job.wait(0)
    assert job.result() == b"a\0b"


def test_a_result_of_a_job_that_failed() -> None:
    job = Job("reverse", b"")
    finish(job, failure=True)
    with pytest.raises(JobFailedError, match="failed") as info:
        job.result()
    assert info.value.exception is None
    job.exception = b"why"
    with pytest.raises(JobFailedError) as info:
        job.result()
    assert info.value.exception == b"why"


def test_a_job_that_does_not_end_in_time() -> None:
    job = Job("reverse", b"")
    assert not job.wait(0.01)
    with pytest.raises(TimeoutError, match=r"^reverse has not ended in 0\.01 s$"):
        job.result(0.01)
    assert job._observers == []


def test_news_of_a_job_is_not_its_end() -> None:
    job = Job("reverse", b"")
    timer = threading.Timer(0.02, job._receive_data, [WorkData(Handle(b"H:1"), b"")])
    timer.start()
    assert not job.wait(0.1)
    timer.join()


def test_many_threads_wait_for_one_job() -> None:
    job = Job("reverse", b"")
    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(job.result(10))) for _ in range(5)]
    for thread in threads:
        thread.start()
    finish(job, b"x")
    for thread in threads:
        thread.join()
    assert results == [b"x"] * 5
    assert job._observers == []


def test_waiting_asks_whether_it_may() -> None:
    job = Job("reverse", b"")

    def refuse(what: str) -> None:
        raise RuntimeError(what)

    job._begin(None, refuse)
    for wait in (job.wait, job.result):
        with pytest.raises(RuntimeError, match="waiting for a job"):
            wait()
    finish(job)
    assert job.wait()


def test_a_binary_job_has_a_name_of_bytes() -> None:
    job = BinaryJob("reverse", b"")
    assert job.name == b"reverse"
    job.name = "count"
    assert (job.name, job.binary_name) == (b"count", b"count")


# What is kept


class Small(Job):
    max_data_size = 2000


def test_a_job_that_is_sent_too_much_fails() -> None:
    job = Small("f", b"")
    for _ in range(1000):
        job._receive_data(WorkData(H1, b"xx"))
    assert (job.complete, job.failure) == (True, True)
    assert len(job.data) < 10
    with pytest.raises(JobFailedError, match="was sent data of over 2000 bytes"):
        job.result()


def test_the_end_of_a_job_is_part_of_what_it_is_sent() -> None:
    job = Small("f", b"")
    job._end(COMPLETED, b"x" * 2000)
    assert (job.data, job.failure) == ([], True)


@pytest.mark.parametrize("how", ["stream", "by hand"])
def test_what_was_taken_out_counts_no_more(how: str) -> None:
    job = Small("f", b"")
    for number in range(100):
        job._receive_data(WorkData(H1, b"%100d" % number))
        if how == "stream":
            assert int(next(job.stream(0))) == number
        else:
            job.data.clear()
    job._end(COMPLETED)
    assert job.result() == b""
