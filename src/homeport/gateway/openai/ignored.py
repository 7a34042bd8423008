"""Which members of a request have no effect: named in `X-Homeport-Ignored`, never refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote

from homeport.gateway.openai.schemas import ChatCompletionRequest
from homeport.providers.port import ModelInfo
from homeport.sessions.models import SessionRow

HEADER = "X-Homeport-Ignored"
MOST_NAMES = 32
LONGEST_NAME = 64

# Clients send these along without asking for anything by them.
_NEUTRAL: Mapping[str, int] = {"temperature": 1, "top_p": 1, "n": 1}

# The agent decides these itself, whatever a client sends along by habit.
_NOT_FOR_AGENTS = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "user",
)
_PART_MEMBERS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text"}),
    "input_text": frozenset({"type", "text"}),
    "refusal": frozenset({"type", "refusal"}),
    "image_url": frozenset({"type", "image_url"}),
}
_FUNCTION_MEMBERS = frozenset({"name", "description", "parameters"})


def ignored_by_model(asked: ChatCompletionRequest, model: ModelInfo) -> list[str]:
    """Members that a stateless call of `model` does not heed."""
    names = set(_extra(asked, "")) | set(_extra(asked.stream_options, "stream_options."))
    for message in asked.messages:
        names |= set(_extra(message, "messages[]."))
        names |= set(_of_parts(message.content))
    names |= set(_of_tools(asked.tools or ()))
    if not model.supports_sampling:
        names |= {name for name in ("temperature", "top_p") if _asks(asked, name)}
    return sorted(names)


def ignored_by_agent(asked: ChatCompletionRequest, row: SessionRow | None) -> list[str]:
    """Members that the agent does not heed in a session; without a row, in one to be made."""
    names = set(_extra(asked, "")) | set(_extra(asked.stream_options, "stream_options."))
    names |= {name for name in _NOT_FOR_AGENTS if _asks(asked, name)}
    if row is not None and asked.model not in {None, row.model}:
        names.add("model")
    if row is not None and asked.system_prompt and asked.system_prompt != row.system_prompt:
        names.add("system_prompt")
    return sorted(names)


def ignored_header(names: list[str]) -> dict[str, str]:
    """The response header; none when everything had its effect.

    The names are the client's own words, so only what a header may hold is passed on.
    """
    if not names:
        return {}
    told = [quote(name, safe="[]._-")[:LONGEST_NAME] for name in names[:MOST_NAMES]]
    return {HEADER: ", ".join(told)}


def _extra(model: Any, prefix: str) -> Iterator[str]:
    """Unknown members that ask for something: null, false, 0 and empty ones do not."""
    extra = cast("dict[str, Any]", getattr(model, "model_extra", None) or {})
    return (prefix + name for name, value in extra.items() if value)


def _of_parts(content: str | list[dict[str, Any]] | None) -> Iterator[str]:
    for part in content if isinstance(content, list) else ():
        kind = part.get("type")
        known = _PART_MEMBERS.get(kind) if isinstance(kind, str) else None
        yield from (f"messages[].content[].{name}" for name in part if name not in (known or part))
        image = part.get("image_url")
        if isinstance(image, dict):
            members = cast("dict[str, Any]", image)
            yield from (
                f"messages[].content[].image_url.{name}" for name in members if name != "url"
            )


def _of_tools(tools: Iterable[dict[str, Any]]) -> Iterator[str]:
    for tool in tools:
        yield from (f"tools[].{name}" for name in tool if name not in {"type", "function"})
        function = tool.get("function")
        if isinstance(function, dict):
            members = cast("dict[str, Any]", function)
            yield from (
                f"tools[].function.{name}"
                for name, value in members.items()
                if value and name not in _FUNCTION_MEMBERS
            )


def _asks(asked: ChatCompletionRequest, name: str) -> bool:
    value: object = getattr(asked, name)
    return value not in (None, [], {}, _NEUTRAL.get(name))
