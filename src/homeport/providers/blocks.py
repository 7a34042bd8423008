"""Content blocks between their stored form and the provider's."""

from __future__ import annotations

import json
from typing import Any, cast

import orjson

from homeport.providers.text import clean_json

# Where each type of block carries what is streamed; of the rest, nothing is.
STREAMED_TEXT = {"text": "text", "thinking": "thinking"}
STREAMED_INPUT = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})


def parse_input(raw: str) -> dict[str, Any] | None:
    """A tool's input, or None when the model wrote no JSON object.

    An empty text is an empty input: that is how a tool without arguments is called.
    """
    if not raw.strip():
        return {}
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        # Escaped lone surrogates are valid JSON that orjson refuses.
        try:
            value = clean_json(json.loads(raw))
        except (ValueError, RecursionError):
            return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def to_stored(block: dict[str, Any], text: str) -> dict[str, Any]:
    """The stored form of a block that began as `block` and streamed `text`."""
    kind = cast("str", block.get("type", ""))
    streamed = "input" if kind in STREAMED_INPUT else STREAMED_TEXT.get(kind, "text")
    rest = {key: value for key, value in block.items() if key not in {streamed, "text"}}
    return {**rest, "type": kind, "text": text}


def to_wire(block: dict[str, Any]) -> dict[str, Any]:
    """The provider's content block for a stored one.

    A tool call whose input is not a JSON object becomes one with an empty input: the provider
    accepts no other, and the tool's result tells the model what was wrong.
    """
    kind = cast("str", block["type"])
    text = cast("str", block.get("text", ""))
    rest = {key: value for key, value in block.items() if key != "text" and value is not None}
    if kind in STREAMED_INPUT:
        return {**rest, "input": parse_input(text) or {}}
    if kind in STREAMED_TEXT:
        return {**rest, STREAMED_TEXT[kind]: text}
    return rest
