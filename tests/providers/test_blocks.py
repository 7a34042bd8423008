"""Blocks go out and come back as the provider made them."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.providers.blocks import parse_input, to_stored, to_wire

CITATION = {"type": "char_location", "cited_text": "x", "document_index": 0}


@pytest.mark.parametrize(
    ("started", "text", "stored", "wire"),
    [
        (
            {"type": "text", "text": "", "citations": [CITATION]},
            "Hi",
            {"type": "text", "citations": [CITATION], "text": "Hi"},
            {"type": "text", "citations": [CITATION], "text": "Hi"},
        ),
        (
            {"type": "text", "text": "", "citations": None},
            "Hi",
            {"type": "text", "citations": None, "text": "Hi"},
            {"type": "text", "text": "Hi"},
        ),
        (
            {"type": "thinking", "thinking": "", "signature": "s"},
            "Hm",
            {"type": "thinking", "signature": "s", "text": "Hm"},
            {"type": "thinking", "signature": "s", "thinking": "Hm"},
        ),
        (
            {"type": "redacted_thinking", "data": "zz"},
            "",
            {"type": "redacted_thinking", "data": "zz", "text": ""},
            {"type": "redacted_thinking", "data": "zz"},
        ),
        (
            {"type": "tool_use", "id": "t", "name": "Bash", "input": {}, "caller": {"type": "d"}},
            '{"a": 1}',
            {
                "type": "tool_use",
                "id": "t",
                "name": "Bash",
                "caller": {"type": "d"},
                "text": '{"a": 1}',
            },
            {
                "type": "tool_use",
                "id": "t",
                "name": "Bash",
                "caller": {"type": "d"},
                "input": {"a": 1},
            },
        ),
        (
            {"type": "web_search_tool_result", "tool_use_id": "t", "content": [{"url": "u"}]},
            "",
            {
                "type": "web_search_tool_result",
                "tool_use_id": "t",
                "content": [{"url": "u"}],
                "text": "",
            },
            {"type": "web_search_tool_result", "tool_use_id": "t", "content": [{"url": "u"}]},
        ),
    ],
)
def test_block_is_stored_and_sent_back_verbatim(
    started: dict[str, Any], text: str, stored: dict[str, Any], wire: dict[str, Any]
) -> None:
    assert to_stored(started, text) == stored
    assert to_wire(stored) == wire


@pytest.mark.parametrize(
    ("raw", "parsed"),
    [
        ('{"a": "😀"}', {"a": "😀"}),
        ("", {}),
        ("  ", {}),
        ('{"a": ', None),
        ("[1]", None),
        ("null", None),
        (r'{"a": "\ud83d"}', {"a": "\ufffd"}),
        ("[" * 100_000, None),
    ],
)
def test_tool_input_is_an_object_or_nothing(raw: str, parsed: dict[str, Any] | None) -> None:
    assert parse_input(raw) == parsed


def test_invalid_tool_input_is_kept_raw_and_sent_as_an_empty_one() -> None:
    stored = to_stored({"type": "tool_use", "id": "t", "name": "Bash", "input": {}}, '{"a": ')
    assert stored["text"] == '{"a": '
    assert to_wire(stored)["input"] == {}
