"""The description of the API says what the API does."""

import re
from typing import Any

import pytest

import gear
from gear_server.http import api, events, openapi
from support.http_asking import ask
from support.workspace import ROOT

pytest_plugins = ["support.fix_http"]


@pytest.fixture
def document(http_server: gear.Server) -> Any:
    return ask(http_server.http_port, openapi.PATH).json()


def test_every_route_is_described() -> None:
    described = {(each.method.upper(), each.path) for each in openapi.OPERATIONS}
    routes = [*api.ROUTES, *events.ROUTES, *openapi.ROUTES]
    assert described == {(route.method, route.path.replace(":.+}", "}")) for route in routes}


def test_all_that_is_referred_to_is_there(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert {"Server", "FunctionPage", "JobRow", "Problem", "QueueLimits", "Counters"} <= set(
        schemas
    )

    def references(node: Any) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(references, node))
        if not isinstance(node, dict):
            return set()
        own = {node["$ref"].rpartition("/")[2]} if "$ref" in node else set()
        return own.union(*map(references, node.values()))

    assert references(document) == set(schemas)


def test_everything_has_words(document: Any) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert schema["description"], name
        for field, described in schema["properties"].items():
            assert described.get("description"), f"{name}.{field}"
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"] and operation["description"], path
            for parameter in operation["parameters"]:
                assert parameter["description"], (path, parameter)


def test_what_is_asked_for_may_be_what_the_api_takes(document: Any) -> None:
    parameters = document["paths"]["/api/v1/jobs"]["get"]["parameters"]
    by_name = {each["name"]: each["schema"] for each in parameters}
    assert by_name["state"] == {"enum": ["queued", "running", "scheduled"]}
    assert by_name["page"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 1}


def test_the_reference_names_all_that_the_api_can_do() -> None:
    text = (ROOT / "docs/reference/http-api.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(GET|POST) (\S+)` \|.*\| (.*?) ?\|$", text, re.MULTILINE)
    for operation in openapi.OPERATIONS:
        parameters = ", ".join(f"`{name}`" for name in operation.query.__struct_fields__)
        if operation.path == "/api/v1/events":
            parameters = "those of functions"
        assert (operation.method.upper(), operation.path, parameters) in named
    assert len(named) == len(openapi.OPERATIONS)
