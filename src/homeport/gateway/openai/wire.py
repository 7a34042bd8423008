"""The answer on OpenAI's wire: chunks, completions, usage in both spellings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import Scope

from homeport.kernel import clock, ids
from homeport.kernel.errors import HomeportError
from homeport.kernel.http.errors import error_document
from homeport.providers.port import Usage

DONE = b"data: [DONE]\n\n"
FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def usage_document(usage: Usage, cost_usd: float) -> dict[str, Any]:
    """Tokens and cost (USD), as OpenAI and as Anthropic spell them."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "total_cost": cost_usd,
    }


@dataclass(frozen=True, slots=True)
class Head:
    """What an answer is called: the same in its document, its chunks, and when it is continued.

    Attributes:
        created: Seconds since 1970.
    """

    id: str
    created: int
    model: str

    @classmethod
    def fresh(cls, model: str) -> Head:
        """The head of an answer that is made now and never again."""
        return cls(ids.new_id(), int(clock.utc_now().timestamp()), model)

    def members(self, kind: str) -> dict[str, Any]:
        """The members that begin every object of this answer."""
        return {
            "id": f"chatcmpl-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self.model,
        }


class Chunks:
    """Makes the frames of one streamed answer.

    Args:
        head: Told in every chunk.
        session_id: Told in every chunk when the agent answers.
    """

    def __init__(self, head: Head, *, session_id: str | None = None) -> None:
        self._head: dict[str, Any] = head.members("chat.completion.chunk")
        if session_id is not None:
            self._head["session_id"] = session_id
        # Everything but the text is the same in every delta, so it is encoded once.
        mark = orjson.dumps(self._chunk({"content": "\x00"}, None)).split(b'"\\u0000"')
        self._before, self._after = b"data: " + mark[0], mark[1] + b"\n\n"

    def text(self, text: str) -> bytes:
        """A piece of the answer."""
        return self._before + orjson.dumps(text) + self._after

    def delta(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        """Any other delta."""
        return b"data: " + orjson.dumps(self._chunk(delta, finish_reason)) + b"\n\n"

    def usage(self, usage: Usage, cost_usd: float) -> bytes:
        """The chunk that `stream_options.include_usage` asks for: no choices."""
        document: dict[str, Any] = {**self._head, "choices": []}
        document["usage"] = usage_document(usage, cost_usd)
        return b"data: " + orjson.dumps(document) + b"\n\n"

    def agent(self, kind: str, members: dict[str, Any]) -> bytes:
        """A frame beside the chunks: no `object`, and a choice that adds nothing."""
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": None}
        return b"data: " + orjson.dumps({"type": kind, **members, "choices": [choice]}) + b"\n\n"

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self._head | {"choices": [choice]}


def completion(
    head: Head,
    message: dict[str, Any],
    finish_reason: str,
    usage: dict[str, Any],
    **members: Any,
) -> dict[str, Any]:
    """The whole answer in one document."""
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
    return {**head.members("chat.completion"), "choices": [choice], "usage": usage, **members}


def error_frame(error: HomeportError, scope: Scope) -> bytes:
    """An error in the middle of an answer; `[DONE]` still follows."""
    member = error_document(error, scope)["error"]
    return b"data: " + orjson.dumps({"error": member}, default=str) + b"\n\n"
