"""Where a run stands, read from the request: the last thing the user said, and what came since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """The last user message that is not a tool's answer, and the texts of the answers since."""

    text: str
    results: tuple[str, ...]


def read_prompt(messages: Sequence[Block]) -> Prompt:
    """The prompt of the run in hand; empty when the user has said nothing."""
    results: list[str] = []
    for message in reversed(messages):
        if message.get("role") != "user":
            continue
        blocks = _blocks(message.get("content"))
        answers = [block for block in blocks if block.get("type") == "tool_result"]
        if not answers:
            texts = [str(b.get("text", "")).strip() for b in blocks if b.get("type") == "text"]
            return Prompt(texts[-1] if texts else "", tuple(reversed(results)))
        results += [_text(answer.get("content")) for answer in reversed(answers)]
    return Prompt("", tuple(reversed(results)))


def _blocks(content: object) -> list[Block]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return cast("list[Block]", content) if isinstance(content, list) else []


def _text(content: object) -> str:
    return "\n".join(str(block.get("text", "")) for block in _blocks(content))
