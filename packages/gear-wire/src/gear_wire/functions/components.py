"""Types as JSON Schema; and which types have none, since they cannot travel."""

from collections.abc import Iterable
from typing import Final

import msgspec

Schema = dict[str, object]

_REF: Final = "#/components/schemas/{name}"


def components_of(types: Iterable[object]) -> tuple[list[Schema], dict[str, Schema]]:
    """Return a schema for each type, and the components that they refer to.

    Raises:
        TypeError: A type cannot travel.
    """
    schemas, components = msgspec.json.schema_components(
        types, schema_hook=_unknown, ref_template=_REF
    )
    for component in components.values():
        text = component.get("description")
        if isinstance(text, str):
            component["description"] = first_paragraph(text)
    return list(schemas), components


def first_paragraph(docstring: str) -> str:
    """Return what a docstring says to everybody: what follows is for who uses it in Python."""
    return " ".join(docstring.strip().partition("\n\n")[0].split())


def _unknown(kind: type) -> Schema:
    if kind is object:
        return {"description": "any value"}
    raise TypeError(
        f"{kind.__module__}.{kind.__qualname__} is neither a type of JSON nor one that msgspec "
        "makes one of, such as a Struct or a dataclass"
    )
