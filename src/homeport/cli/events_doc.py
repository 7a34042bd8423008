"""`homeport events-doc`: docs/events.md, the same bytes for the same catalogue."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from homeport.eventlog.catalogue import Event, catalogue

INTRODUCTION = """\
# Events

Everything that happens, as the log keeps it and as every reader gets it. Made from
`homeport/eventlog/catalogue` by `make events-doc`; `make check` says when it is not current. A kind
is never renamed and never reused; a payload that changes its shape becomes a new version, and the
goldens in `tests/eventlog/golden` hold the old ones.

## Frames

A frame is one JSON object: `cursor`, `kind`, `at` (RFC 3339, UTC, milliseconds), for stored events
`actor` (`user:<id>`, `run:<id>`, `system`), and the members below. It is the same on every
transport; [transports.md](transports.md) says how it travels and where a cursor leads.

Members above 32 KiB travel as `{truncated: true, size, href, preview?}`; `href` has the event
whole. A frame that closes a message has `length` (code points) and `sha256` (of the UTF-8) of each
block instead of its text, which the reader has been sent. An event that was erased has
`erased: true` in the place of its members.

These frames are made by the reader and stored nowhere:

| kind | members | meaning |
|---|---|---|
| `block.started` | `message_id` `block` `type` `id` `name` | the next block of the open message |
| `message.delta` | `message_id` `block` `offset` `type` `text` | text behind `offset` code points |
| `message.reset` | `message_id` | forget this message's blocks; they follow again |
| `stream.heartbeat` | | the line is alive, and this is where you stand |
| `server.draining` | `retry_ms` | the server goes; come back in so many milliseconds |
| `stream.ended` | `code` `detail` | WebSockets only: why it ends; come back with the cursor |"""


def document() -> str:
    """The whole of docs/events.md."""
    rooms: dict[str, list[str]] = {}
    for (kind, version), event in catalogue().items():
        room = event.__module__.rpartition(".")[2]
        rooms.setdefault(room, []).append(_event(kind, version, event))
    parts = [INTRODUCTION]
    for room, events in sorted(rooms.items()):
        parts += [f"## {room.replace('_', ' ').capitalize()}", *events]
    return "\n\n".join(parts) + "\n"


def _event(kind: str, version: int, event: type[Event]) -> str:
    title = f"### `{kind}`" + (f" v{version}" if version > 1 else "")
    bounds = {"opens": "Opens a streamed message.", "closes": "Closes a streamed message."}
    words = [inspect.cleandoc(event.__doc__ or ""), bounds.get(event.bounds or "", "")]
    schema = event.model_json_schema()
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_type(given, schema)}{'' if name in required else ', optional'} |"
        for name, given in schema.get("properties", {}).items()
    ]
    table = "\n".join(["| member | type |", "|---|---|", *rows]) if rows else "No members."
    return "\n\n".join([title, *filter(None, words), table])


def _type(given: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in given:
        return _type(schema["$defs"][str(given["$ref"]).rpartition("/")[2]], schema)
    if "anyOf" in given:
        kinds = [_type(choice, schema) for choice in given["anyOf"]]
        return " or ".join(kind for kind in kinds if kind != "null")
    if "enum" in given or "const" in given:
        return ", ".join(f"`{value}`" for value in given.get("enum", [given.get("const")]))
    if given.get("type") == "array":
        return f"array of {_type(given.get('items', {}), schema)}"
    return str(given.get("format") or given.get("type") or "any JSON")
