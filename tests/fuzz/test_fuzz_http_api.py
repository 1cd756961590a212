"""Requests of all kinds to the API: what it answers is what its description says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings

import gear
from gear_server.http import openapi
from gear_server.settings import ServerSettings

EXAMPLES = 15
"""Requests of each operation."""
STREAMS = "/api/v1/events"
"""It does not end."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with (
        gear.Server(0, host="127.0.0.1", settings=ServerSettings(http="0")) as server,
        gear.Client() as client,
        gear.Worker("me") as worker,
    ):
        for each in (client, worker):
            each.addServer("127.0.0.1", server.port)
            each.waitForServer()
        worker.registerFunction("one")
        for name in ("one", "one", b"\xff/\n"[:2]):
            client.submitJob(gear.Job(name, b"x"), background=True)
        worker.getJob()
        yield server.http_port


SCHEMA: Any = schemathesis.openapi.from_dict(json.loads(json.dumps(openapi.describe())))
OPERATIONS: list[Any] = [
    result.ok() for result in SCHEMA.get_all_operations() if result.ok().path != STREAMS
]


POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
# Any text may name a function or a job: only parameters of the query, and bodies, can be wrong.
CASES: list[Any] = [
    pytest.param(operation, mode, id=f"{mode.value}-{operation.label}")
    for operation in OPERATIONS
    for mode in (POSITIVE, NEGATIVE)
    if mode is POSITIVE or len(operation.query) or len(operation.body)
]


def has_fractions(body: Any) -> bool:
    """Return whether a body has 1.0 for 1, which is an integer for JSON Schema alone."""
    return isinstance(body, dict) and any(isinstance(value, float) for value in body.values())


@pytest.mark.no_cover
@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_answers_are_as_described(port: int, operation: Any, mode: Any) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        assume(mode is NEGATIVE or not has_fractions(case.body))
        response = case.call(base_url=f"http://127.0.0.1:{port}")
        case.validate_response(response)

    check()
