"""Makes golden payloads: one example of each event, with the schema that it was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from homeport.eventlog.catalogue import Event, catalogue

FOLDER = Path(__file__).parents[1] / "eventlog" / "golden"
PLAIN: Mapping[str, Any] = {
    "string": "text",
    "integer": 7,
    "number": 0.25,
    "boolean": True,
    "object": {"key": "value"},
    "null": None,
}


def name_of(kind: str, version: int) -> str:
    return f"{kind}.v{version}.json"


def golden(event: type[Event]) -> str:
    """The file for `event`: what its payload may hold, and what one looks like when stored."""
    schema = event.model_json_schema()
    document = {
        "kind": event.kind,
        "version": event.version,
        "bounds": event.bounds,
        "schema": bare(schema),
        "payload": json.loads(event.model_validate(sample(event)).encode()),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def bare(schema: Any) -> Any:
    """A schema without its words: those may be improved."""
    if isinstance(schema, dict):
        items = cast("dict[str, Any]", schema)
        return {key: bare(value) for key, value in items.items() if not _is_word(key, value)}
    if isinstance(schema, list):
        return [bare(value) for value in cast("list[Any]", schema)]
    return schema


def _is_word(key: str, value: object) -> bool:
    return key in {"title", "description"} and isinstance(value, str)


def sample(event: type[Event]) -> dict[str, Any]:
    """A payload with every member set."""
    schema = event.model_json_schema()
    properties: dict[str, Any] = schema.get("properties", {})
    return {name: _value(given, schema) for name, given in properties.items()}


def _value(given: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    if "$ref" in given:
        name = str(given["$ref"]).rpartition("/")[2]
        nested: Mapping[str, Any] = schema["$defs"][name]
        return _value(nested, schema)
    if "anyOf" in given:
        return _value(given["anyOf"][0], schema)
    if "const" in given:
        return given["const"]
    if "enum" in given:
        return given["enum"][0]
    if given.get("type") == "array":
        return [_value(given.get("items", {"type": "string"}), schema)]
    if given.get("type") == "object" and "properties" in given:
        return {key: _value(value, schema) for key, value in given["properties"].items()}
    return PLAIN[given.get("type", "string")]


def main() -> None:
    """Adds what is missing; an existing golden is never written again."""
    FOLDER.mkdir(exist_ok=True)
    for (kind, version), event in catalogue().items():
        path = FOLDER / name_of(kind, version)
        if not path.exists():
            path.write_text(golden(event), encoding="utf-8")


if __name__ == "__main__":
    main()
