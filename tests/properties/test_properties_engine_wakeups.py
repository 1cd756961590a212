"""Ways of waking that random steps rarely find; the model is the judge of each step."""

import pytest

from gear_wire import packets as wire
from gear_wire.types import FunctionName, UniqueKey
from support.engine_pair import EnginePair

NAME = FunctionName(b"f")
JOB = wire.SubmitJobBg(NAME, UniqueKey(b""), b"")
WORKERS = range(3)
CLIENT = 3


@pytest.fixture(params=[0, 1, 2])
def pair(request: pytest.FixtureRequest) -> EnginePair:
    """Three workers that sleep, one, two or all of which a job wakes, and a client."""
    pair = EnginePair(4, job_retries=-1, worker_wakeup=request.param, exceptions=False, busy=False)
    for who in WORKERS:
        pair.send(who, wire.CanDo(NAME))
        pair.send(who, wire.PreSleep())
    return pair


def test_all_wake_when_nobody_comes_time_and_again(pair: EnginePair) -> None:
    for _ in range(3):
        pair.send(CLIENT, JOB)
        pair.wait(0.2)
        assert not any(pair.member(who).asleep for who in WORKERS)
        taken = pair.send(0, wire.GrabJob())
        assert isinstance(taken, wire.JobAssign)
        pair.send(0, wire.WorkComplete(taken.handle, b""))
        for who in WORKERS:
            pair.send(who, wire.GrabJob())
            pair.send(who, wire.PreSleep())


def test_who_sleeps_beside_a_job_is_called_once(pair: EnginePair) -> None:
    pair.send(CLIENT, JOB)
    for who in WORKERS:
        pair.send(who, wire.PreSleep())
    pair.send(CLIENT, JOB)
    pair.wait(1.0)


def test_others_come_when_the_woken_leave(pair: EnginePair) -> None:
    pair.send(CLIENT, JOB)
    for who in WORKERS:
        if not pair.member(who).asleep:
            pair.replace(who)
    pair.wait(0.2)
    assert not any(pair.member(who).asleep for who in WORKERS)


def test_a_woken_worker_that_sleeps_again_without_asking(pair: EnginePair) -> None:
    """Another took the job meanwhile: gearmand never wakes it again."""
    pair.send(CLIENT, JOB)
    assert isinstance(pair.send(2, wire.GrabJob()), wire.JobAssign)
    for who in WORKERS:
        pair.send(who, wire.PreSleep())
    pair.send(CLIENT, JOB)
    pair.wait(0.2)
    assert not any(pair.member(who).asleep for who in WORKERS)
