"""The body of a model call, and where the prompt cache's breakpoints stand."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from homeport.providers import ModelRequest
from homeport.providers.anthropic.request import BREAKPOINT, build_body
from homeport.providers.catalogue import find_claude
from homeport.providers.port import ModelInfo

MODEL = "claude-sonnet-5-5"


def info(model_id: str = MODEL) -> ModelInfo:
    found = find_claude(model_id)
    assert found is not None
    return found


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "done"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
TOOLS: list[dict[str, Any]] = [
    {"name": "Read", "input_schema": {}},
    {"name": "Bash", "input_schema": {}},
]


def marks(body: dict[str, Any]) -> list[str]:
    """Where breakpoints stand, as readable addresses."""
    found = [f"tool {n}" for n, tool in enumerate(body.get("tools", [])) if "cache_control" in tool]
    found += [f"system {n}" for n, b in enumerate(body.get("system", [])) if "cache_control" in b]
    return found + [
        f"message {m}.{n}"
        for m, message in enumerate(body["messages"])
        for n, block in enumerate(message["content"])
        if "cache_control" in block
    ]


CONVERSATION = [
    user(text("first")),
    assistant(text("a")),
    user(RESULT, text("second")),
    assistant(text("b")),
    user(text("third"), IMAGE),
]


def test_breakpoints_end_tools_system_and_the_last_two_user_turns() -> None:
    request = ModelRequest(
        model=MODEL, messages=CONVERSATION, system=[text("one"), text("two")], tools=TOOLS
    )
    body = build_body(request, info())
    assert marks(body) == ["tool 1", "system 1", "message 2.1", "message 4.1"]
    assert body["messages"][4]["content"][1] == {**IMAGE, "cache_control": BREAKPOINT}


def test_request_is_not_changed() -> None:
    request = ModelRequest(model=MODEL, messages=CONVERSATION, system=[text("one")], tools=TOOLS)
    before = copy.deepcopy(request)
    build_body(request, info())
    assert request == before


def test_caller_who_sets_breakpoints_keeps_exactly_those() -> None:
    marked = {**text("mine"), "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    request = ModelRequest(model=MODEL, messages=[user(marked), *CONVERSATION[1:]], tools=TOOLS)
    assert marks(build_body(request, info())) == ["message 0.0"]


def test_breakpoint_passes_over_blocks_that_refuse_one() -> None:
    thought = {"type": "thinking", "thinking": "t", "signature": "s"}
    request = ModelRequest(model=MODEL, messages=[user(text("a"), thought, text(""))])
    assert marks(build_body(request, info())) == ["message 0.0"]


def test_system_as_text_becomes_a_block_that_can_be_marked() -> None:
    request = ModelRequest(model=MODEL, messages=[{"role": "user", "content": "hi"}], system="sys")
    body = build_body(request, info())
    assert body["system"] == [{**text("sys"), "cache_control": BREAKPOINT}]
    assert body["messages"] == [user({**text("hi"), "cache_control": BREAKPOINT})]


def test_what_is_not_asked_for_is_not_sent() -> None:
    body = build_body(ModelRequest(model=MODEL, messages=[user(text("hi"))]), info())
    assert set(body) == {"model", "max_tokens", "messages", "stream"}
    assert body["max_tokens"] == 128_000


def test_everything_that_is_asked_for_is_sent() -> None:
    request = ModelRequest(
        model=MODEL,
        messages=[user(text("hi"))],
        max_tokens=7,
        temperature=0.0,
        top_p=0.5,
        stop_sequences=("END",),
        tool_choice={"type": "auto"},
        thinking={"type": "adaptive"},
        user_id="hash",
    )
    body = build_body(request, info())
    assert body["max_tokens"] == 7
    assert (body["temperature"], body["top_p"]) == (0.0, 0.5)
    assert body["stop_sequences"] == ["END"]
    assert body["tool_choice"] == {"type": "auto"}
    assert body["thinking"] == {"type": "adaptive"}
    assert body["metadata"] == {"user_id": "hash"}


@pytest.mark.parametrize(
    ("blocks", "kept"),
    [([text(""), text("a")], [text("a")]), ([text("")], [text("")]), ([RESULT], [RESULT])],
)
def test_empty_texts_are_left_out_where_anything_remains(
    blocks: list[dict[str, Any]], kept: list[dict[str, Any]]
) -> None:
    request = ModelRequest(model=MODEL, messages=[assistant(*blocks), user(text("x"))])
    assert build_body(request, info())["messages"][0]["content"] == kept
