"""Expectations: each is settled once."""

from gear_client.expectations import ByKey, Expectation, JobState, StatusRequest


def test_only_the_first_end_counts() -> None:
    calls: list[bool] = []
    expectation = Expectation(lambda: calls.append(True))
    assert (expectation.settled, expectation.lost, expectation.error) == (False, False, None)
    error = ValueError()
    expectation.settle(error)
    expectation.settle(lost=True)
    assert (expectation.settled, expectation.lost, expectation.error) == (True, False, error)
    assert calls == [True]


def test_nobody_needs_to_be_told() -> None:
    expectation = Expectation()
    expectation.settle(lost=True)
    assert expectation.lost


def test_several_wait_for_one_key() -> None:
    waiting: ByKey[StatusRequest] = ByKey()
    first, second, other = StatusRequest(b"a"), StatusRequest(b"a"), StatusRequest(b"b")
    for request in (first, second, other):
        waiting.add(request.key, request)
    assert waiting.pop(b"a") is first
    assert waiting.pop(b"c") is None
    assert waiting.pop_all() == [second, other]
    assert waiting.pop_all() == []
    assert waiting.pop(b"a") is None


def test_how_far_a_job_has_come() -> None:
    assert JobState(True, True, 1, 4).fraction_complete == 0.25
    assert JobState(True, True, 0, 0).fraction_complete is None
    assert JobState(True, True, 1, 4) == JobState(True, True, 1, 4, clients=None)
