"""What the functions of an app take and return, as JSON Schema: the components of OpenAPI 3.1."""

import inspect
from collections.abc import Iterable
from typing import Final, cast

import msgspec

from gear_wire.functions.components import Schema, components_of, first_paragraph
from gear_wire.functions.failures import Failure
from gear_wire.functions.function import AnyFunction

_RAW: Final[dict[object, Schema]] = {
    bytes: {"type": "string", "contentMediaType": "application/octet-stream"},
    str: {"type": "string"},
    type(None): {"type": "string", "maxLength": 0},
}
"""The bytes themselves, of a function whose payload and result are no JSON."""


def schema_of(functions: Iterable[AnyFunction]) -> Schema:
    """Return a document of OpenAPI 3.1 without paths: Gearman's functions have none.

    Its components are all types that arguments and results have; its ``x-functions`` has each
    function by name, with the schema of its ``arguments`` and of its ``result`` or its ``items``,
    that of the ``exception`` that it may end with, and the names of those that callers see as
    themselves.

    Args:
        functions: The functions.
    """
    found = list(functions)
    wanted: list[object] = [Failure]
    for function in found:
        if not function.codec.raw:
            wanted += [function.codec.arguments_type, function.codec.result_type]
    schemas, components = components_of(wanted)
    made = iter(schemas)
    failure = next(made)
    described: Schema = {}
    for function in found:
        codec = function.codec
        if codec.raw:
            arguments, result = _RAW[codec.arguments_type], _RAW[codec.result_type]
        else:
            arguments, result = next(made), next(made)
            _add_defaults(components[str(arguments["$ref"]).rpartition("/")[2]], function)
        described[function.name] = {
            **_description(function),
            "encoding": "raw" if codec.raw else function.encoding,
            "arguments": arguments,
            "items" if codec.kind == "stream" else "result": result,
            "exception": failure,
            "raises": [kind.__name__ for kind in function.options.raises],
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gearman functions", "version": "1"},
        "components": {"schemas": components},
        "x-functions": described,
    }


def _add_defaults(component: Schema, function: AnyFunction) -> None:
    """Say what a function takes for the arguments that a call leaves out."""
    properties = cast("dict[str, Schema]", component["properties"])
    for parameter in inspect.signature(function.body).parameters.values():
        if parameter.default is not parameter.empty:
            try:
                properties[parameter.name]["default"] = msgspec.to_builtins(parameter.default)
            except TypeError:
                continue  # a value that JSON has no word for


def _description(function: AnyFunction) -> Schema:
    text = inspect.getdoc(function.body)
    return {"description": first_paragraph(text)} if text else {}
