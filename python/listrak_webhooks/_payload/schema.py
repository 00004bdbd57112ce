"""A JSON schema with nothing in it that refers to a place elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema in which each definition is where it is referred to; within itself it is any object."""
    whole: dict[str, Any] = _inlined(schema, schema.get("$defs", {}), ())
    return whole


def _inlined(schema: Any, definitions: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    def inlined(value: Any) -> Any:
        return _inlined(value, definitions, within)

    if isinstance(schema, list):
        return [*map(inlined, schema)]  # pyright: ignore[reportUnknownArgumentType]
    if not isinstance(schema, dict):
        return schema
    fields: dict[str, Any] = {**schema}
    reference = fields.get("$ref")
    if isinstance(reference, str):
        name = reference.removeprefix("#/$defs/")
        if name in within:
            return {"type": "object", "title": name}
        siblings = {key: value for key, value in fields.items() if key != "$ref"}
        return _inlined({**definitions[name], **siblings}, definitions, (*within, name))
    return {
        key: inlined(value) for key, value in fields.items() if key != "$defs" and not _is_discriminator(key, value)
    }


def _is_discriminator(key: str, value: Any) -> bool:
    """Return whether it says which reference is for which value; without references there is nothing to say."""
    return key == "discriminator" and isinstance(value, dict) and "propertyName" in value
