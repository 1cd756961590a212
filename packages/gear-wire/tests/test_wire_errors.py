"""The exceptions: one base, and the builtin of the same name where there is one."""

import builtins
import pickle

import pytest

from gear_wire import errors
from gear_wire.errors import GearmanError, JobFailedError, ServerError

EXCEPTIONS = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, GearmanError)
]


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_all_derive_from_one_base(exception: type[GearmanError]) -> None:
    assert issubclass(exception, GearmanError)
    assert exception.__doc__


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_the_builtin_of_the_same_name_catches_it(exception: type[GearmanError]) -> None:
    builtin = getattr(builtins, exception.__name__, Exception)
    assert issubclass(exception, builtin)


@pytest.mark.parametrize(
    ("exception", "base"),
    [
        (errors.DisconnectError, errors.ConnectionError),
        (errors.ProtocolError, errors.InvalidDataError),
        (errors.InvalidDataError, ValueError),
        (errors.ConfigurationError, ValueError),
        (errors.NoConnectedServersError, builtins.ConnectionError),
        (errors.UnknownJobError, LookupError),
    ],
)
def test_what_is_caught_by_what(exception: type[Exception], base: type[Exception]) -> None:
    assert issubclass(exception, base)


def test_connection_errors_do_not_hide_that_no_server_is_there() -> None:
    assert not issubclass(errors.NoConnectedServersError, errors.ConnectionError)


def test_a_server_error() -> None:
    error = ServerError("QUEUE_ERROR", "Job queue is full")
    assert (error.code, error.text) == ("QUEUE_ERROR", "Job queue is full")
    assert str(error) == "QUEUE_ERROR: Job queue is full"
    assert str(ServerError("UNKNOWN_JOB", "")) == "UNKNOWN_JOB"


def test_a_failed_job() -> None:
    assert JobFailedError("it failed").exception is None
    error = JobFailedError("it failed", b"data")
    assert (str(error), error.exception) == ("it failed", b"data")


@pytest.mark.parametrize(
    "error", [ServerError("CODE", "text"), JobFailedError("m", b"e"), errors.TimeoutError("t")]
)
def test_errors_travel_between_processes(error: GearmanError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))
