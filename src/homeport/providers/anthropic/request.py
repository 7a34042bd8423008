"""Makes a Messages API body of a `ModelRequest`, with breakpoints for the provider's prompt cache.

A breakpoint ends a prefix that later requests may reuse: tools, system, and the last two user
turns, of which the earlier one finds what the request before has written. Never changes what it is
given: blocks are copied where they are marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from homeport.providers.port import ModelInfo, ModelRequest

Block = dict[str, Any]
BREAKPOINT = {"type": "ephemeral"}
MAX_BREAKPOINTS = 4
USER_TURNS = 2
# These refuse a breakpoint: what the provider cannot read back it does not cache by itself.
NOT_MARKABLE = frozenset({"thinking", "redacted_thinking"})


def build_body(request: ModelRequest, info: ModelInfo) -> dict[str, Any]:
    """The body of `POST /v1/messages` for a stream.

    A caller who has set breakpoints keeps exactly those.
    """
    messages = [_without_empty_text(message) for message in request.messages]
    system = _as_blocks(request.system)
    tools = list(request.tools)
    if not _has_breakpoints(tools, system, messages):
        tools, system = _mark_last(tools), _mark_last(system)
        left = MAX_BREAKPOINTS - bool(tools) - bool(system)
        messages = _mark_turns(messages, min(left, USER_TURNS))
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens or info.max_output_tokens,
        "messages": messages,
        "stream": True,
    }
    optional = {
        "system": system,
        "tools": tools,
        "stop_sequences": list(request.stop_sequences),
        "tool_choice": request.tool_choice,
        "thinking": request.thinking,
        "metadata": {"user_id": request.user_id} if request.user_id else None,
    }
    body.update({name: value for name, value in optional.items() if value})
    sampling = {"temperature": request.temperature, "top_p": request.top_p}
    body.update({name: value for name, value in sampling.items() if value is not None})
    return body


def _as_blocks(content: Sequence[Block] | str) -> list[Block]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content)


def _without_empty_text(message: Block) -> Block:
    """`message` without empty text blocks, which the API refuses, if anything else remains."""
    blocks = _as_blocks(cast("Sequence[Block] | str", message["content"]))
    kept = [b for b in blocks if b.get("type") != "text" or b.get("text")]
    return {**message, "content": kept or blocks}


def _has_breakpoints(tools: list[Block], system: list[Block], messages: list[Block]) -> bool:
    blocks = (block for message in messages for block in cast("list[Block]", message["content"]))
    return any("cache_control" in block for block in (*tools, *system, *blocks))


def _mark_last(blocks: list[Block]) -> list[Block]:
    for position in range(len(blocks) - 1, -1, -1):
        block = blocks[position]
        empty = block.get("type") == "text" and not block.get("text")
        if block.get("type") not in NOT_MARKABLE and not empty:
            marked = {**block, "cache_control": BREAKPOINT}
            return [*blocks[:position], marked, *blocks[position + 1 :]]
    return blocks


def _mark_turns(messages: list[Block], count: int) -> list[Block]:
    positions = [p for p, message in enumerate(messages) if message.get("role") == "user"]
    marked = list(messages)
    for position in positions[-count:]:
        message = messages[position]
        marked[position] = {**message, "content": _mark_last(message["content"])}
    return marked
