"""The JSON Schema of functions, which other languages read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from gear_wire.errors import ConfigurationError
from gear_wire.functions import App


class Mail(msgspec.Struct):
    """A mail."""

    to: str
    size: int = 0


class BounceError(Exception):
    pass


def described(app: App) -> tuple[dict[str, object], dict[str, object]]:
    """Return the functions and the components, as JSON carries them."""
    document = msgspec.json.decode(msgspec.json.encode(app.schema()), type=dict[str, object])
    assert document["openapi"] == "3.1.0"
    functions, components = document["x-functions"], document["components"]
    assert isinstance(functions, dict)
    assert isinstance(components, dict)
    return functions, components["schemas"]


def test_a_function_has_arguments_and_a_result() -> None:
    app = App(encoding="msgpack")

    @app.function("mail.send now", raises=[BounceError])
    async def send(mail: Mail, urgent: bool = True, *, copies: list[str] | None = None) -> Mail:
        """Send a mail."""
        return mail

    functions, components = described(app)
    assert functions == {
        "mail.send now": {
            "description": "Send a mail.",
            "encoding": "msgpack",
            "arguments": {"$ref": "#/components/schemas/mail.send_now.arguments"},
            "result": {"$ref": "#/components/schemas/Mail"},
            "exception": {"$ref": "#/components/schemas/Failure"},
            "raises": ["BounceError"],
        }
    }
    assert set(components) == {"Failure", "Mail", "mail.send_now.arguments"}
    assert components["mail.send_now.arguments"] == {
        "title": "mail.send_now.arguments",
        "type": "object",
        "properties": {
            "mail": {"$ref": "#/components/schemas/Mail"},
            "urgent": {"type": "boolean", "default": True},
            "copies": {
                "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}],
                "default": None,
            },
        },
        "required": ["mail"],
        "additionalProperties": False,
    }


def test_a_stream_has_items_and_a_raw_function_is_named_so() -> None:
    app = App()

    @app.function()
    def count(limit: int) -> Iterator[int]:
        yield limit

    @app.function()
    def flip(data: bytes) -> None: ...

    functions, _ = described(app)
    assert functions["count"] == {
        "encoding": "json",
        "arguments": {"$ref": "#/components/schemas/count.arguments"},
        "items": {"type": "integer"},
        "exception": {"$ref": "#/components/schemas/Failure"},
        "raises": [],
    }
    assert functions["flip"] == {
        "encoding": "raw",
        "arguments": {"type": "string", "contentMediaType": "application/octet-stream"},
        "result": {"type": "string", "maxLength": 0},
        "exception": {"$ref": "#/components/schemas/Failure"},
        "raises": [],
    }


def test_a_default_without_words_in_json_is_left_out() -> None:
    app = App()
    nothing = object()

    @app.function()
    def anything(value: object = nothing) -> object:
        return value

    _, components = described(app)
    assert components["anything.arguments"] == {
        "title": "anything.arguments",
        "type": "object",
        "properties": {"value": {"description": "any value"}},
        "required": [],
        "additionalProperties": False,
    }


class Parcel(msgspec.Struct):
    """What is sent,
    and how heavy it is.

    Attributes:
        weight: In grams.
    """

    weight: Annotated[int, msgspec.Meta(description="In grams.\n\nWith its box.")]


def test_descriptions_are_first_paragraphs() -> None:
    app = App()

    @app.function()
    def send(parcel: Parcel) -> None:
        """Send a parcel,
        or try to.

        Args:
            parcel: The parcel.
        """

    written = msgspec.json.encode(described(app)).decode()
    assert '"description":"Send a parcel, or try to."' in written
    assert '"description":"What is sent, and how heavy it is."' in written
    assert '"description":"What a worker says of an exception, as JSON."' in written
    assert r'"description":"In grams.\n\nWith its box."' in written  # said for the schema
    assert "Args:" not in written
    assert "Attributes:" not in written


def test_an_app_without_functions() -> None:
    functions, components = described(App())
    assert (functions, set(components)) == ({}, {"Failure"})


def test_a_type_that_cannot_travel_is_named() -> None:
    app = App()

    @app.function()
    def remove(paths: list[Path]) -> None: ...

    for look in (app.schema, app.check):
        with pytest.raises(ConfigurationError, match=r"remove: .* pathlib\S*\.Path is neither"):
            look()
