"""OpenAPI 3.1 in the words of 3.0, for readers that know only those."""

from __future__ import annotations

from typing import Any, cast

NULL = {"type": "null"}


def as_openapi30(document: dict[str, Any]) -> dict[str, Any]:
    """A copy of `document` for readers of 3.0; it shows the same, it may promise less."""
    return {**cast("dict[str, Any]", _older(document)), "openapi": "3.0.3"}


def _older(node: object) -> object:
    if isinstance(node, list):
        return [_older(item) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    made = {name: _older(value) for name, value in cast("dict[str, object]", node).items()}
    for rule in (_nullable, _constant, _example, _exclusive):
        rule(made)
    return made


def _nullable(schema: dict[str, Any]) -> None:
    for word in ("anyOf", "oneOf"):
        choices = schema.get(word)
        if isinstance(choices, list) and NULL in choices:
            rest = [choice for choice in cast("list[object]", choices) if choice != NULL]
            schema["nullable"] = True
            schema[word] = rest
            if len(rest) == 1 and isinstance(rest[0], dict) and "$ref" not in rest[0]:
                del schema[word]
                schema.update(cast("dict[str, Any]", rest[0]))


def _constant(schema: dict[str, Any]) -> None:
    if "const" in schema and not isinstance(schema["const"], dict):
        schema["enum"] = [schema.pop("const")]


def _example(schema: dict[str, Any]) -> None:
    examples = schema.get("examples")
    if isinstance(examples, list) and examples:
        schema["example"] = cast("list[object]", schema.pop("examples"))[0]


def _exclusive(schema: dict[str, Any]) -> None:
    for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        value = schema.get(word)
        if isinstance(value, int | float) and not isinstance(value, bool):
            schema[bound], schema[word] = value, True
