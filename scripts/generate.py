# ruff: noqa: INP001 - a script
"""Writes the files that are made from the code, or says which of them is not current.

Usage: generate.py [--check] [FILE ...]
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from homeport.cli.openapi import contract
from homeport.eventlog.catalogue import Event, catalogue
from homeport.settings import Settings

ROOT = Path(__file__).parents[1]
INTRODUCTION = """\
Everything that happens, by kind. A kind is never renamed and never reused; a payload that changes
its shape becomes a new version. Made from `homeport/eventlog/catalogue`."""


def env_example() -> str:
    """`.env.example`: every setting with its default, commented out."""
    lines = [
        "# Everything that can be set, with its default. Nothing has to be set.",
        "# Copy to .env, or set it in the environment; made from homeport/settings.py.",
    ]
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {_meaning(field)}", f"#{name.upper()}={_default(field)}"]
    return "\n".join(lines) + "\n"


def _meaning(field: FieldInfo) -> str:
    words: tuple[object, ...] = get_args(field.annotation)
    choice = " | ".join(word for word in words if isinstance(word, str))
    return "; ".join(part for part in (field.description, choice) if part) or "see the reference"


def _default(field: FieldInfo) -> str:
    value: object = field.get_default()
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, tuple):
        return ",".join(str(part) for part in cast("tuple[object, ...]", value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def events() -> str:
    """`docs/events.md`: the catalogue."""
    parts = [
        "# Events",
        INTRODUCTION,
    ]
    room = ""
    for (kind, version), event in catalogue().items():
        module = event.__module__.rpartition(".")[2]
        if module != room:
            room = module
            parts.append(f"## {room}")
        parts.append(_event(kind, version, event))
    return "\n\n".join(parts) + "\n"


def _event(kind: str, version: int, event: type[Event]) -> str:
    title = f"### `{kind}`" + (f" v{version}" if version > 1 else "")
    text = inspect.cleandoc(event.__doc__ or "")
    schema = event.model_json_schema()
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_type(given, schema)}{'' if name in required else ', optional'} |"
        for name, given in schema.get("properties", {}).items()
    ]
    table = "\n".join(["| member | type |", "|---|---|", *rows]) if rows else "No members."
    return f"{title}\n\n{text}\n\n{table}"


def _type(given: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in given:
        name = str(given["$ref"]).rpartition("/")[2]
        return _type(schema["$defs"][name], schema)
    if "anyOf" in given:
        kinds = [_type(choice, schema) for choice in given["anyOf"]]
        return " or ".join(kind for kind in kinds if kind != "null")
    if "enum" in given or "const" in given:
        return ", ".join(f"`{value}`" for value in given.get("enum", [given.get("const")]))
    if given.get("type") == "array":
        return f"array of {_type(given.get('items', {}), schema)}"
    return str(given.get("format") or given.get("type") or "any JSON")


DOCUMENTS: Mapping[str, Callable[[], str]] = {
    ".env.example": env_example,
    "docs/events.md": events,
    "docs/openapi.json": contract,
}


def main(arguments: list[str]) -> int:
    """Writes or checks; returns the exit code."""
    check = "--check" in arguments
    names = [name for name in arguments if name != "--check"] or list(DOCUMENTS)
    stale: list[str] = []
    for name in names:
        path, made = ROOT / name, DOCUMENTS[name]()
        if not path.exists() or path.read_text(encoding="utf-8") != made:
            stale.append(name)
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(made, encoding="utf-8")
    if check and stale:
        sys.stderr.write(f"not current: {', '.join(stale)}; run scripts/generate.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
