"""Whatever a client sends is translated or refused by name; nothing of it breaks the translation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from homeport.gateway.openai.errors import BadMessages, Unsupported
from homeport.gateway.openai.ignored import ignored_by_agent, ignored_by_model, ignored_header
from homeport.gateway.openai.schemas import ChatCompletionRequest
from homeport.gateway.openai.translate import conversation, model_request, newest_user_blocks
from homeport.providers.catalogue import find_claude
from homeport.providers.demo.provider import INFO
from homeport.providers.port import ModelInfo

CLAUDE = find_claude("claude-sonnet-4-5")
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=4,
)


def sometimes(*values: Any) -> st.SearchStrategy[Any]:
    """One of the values that mean something, or anything."""
    return st.sampled_from(values) | anything


def members(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=strategies)


part = members(
    type=sometimes("text", "image_url", "refusal"),
    text=sometimes("hi"),
    refusal=sometimes("no"),
    image_url=sometimes("https://example.org/a.png", {"url": "data:image/png;base64,QUJD"}),
)
function = members(name=sometimes("f"), arguments=sometimes("{}", '{"a'), parameters=anything)
call = members(id=sometimes("c"), type=sometimes("function"), function=function | anything)
message = members(
    role=st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"]),
    content=st.text(max_size=3) | st.lists(part, max_size=3) | st.none(),
    tool_calls=st.lists(call, max_size=2),
    tool_call_id=st.none() | st.text(max_size=2),
    name=anything,
)
body = members(
    messages=st.lists(message, max_size=4),
    tools=st.lists(members(type=sometimes("function"), function=function | anything), max_size=2),
    tool_choice=st.sampled_from(["auto", "none", "required", "x"])
    | members(type=anything, function=function | anything),
    response_format=members(
        type=sometimes("text", "json_object", "json_schema"),
        json_schema=anything | members(schema=sometimes({"type": "object"})),
    ),
    stop=st.text(max_size=2) | st.lists(st.text(max_size=2), max_size=2),
    n=st.none() | st.integers(0, 2),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    parallel_tool_calls=st.none() | st.booleans(),
    stream_options=members(include_usage=st.booleans(), other=anything),
    other=anything,
)


@settings(max_examples=150, deadline=None)
@given(sent=body, model=st.sampled_from([CLAUDE, INFO]))
def test_request_when_it_holds_anything_then_it_is_translated_or_refused_by_name(
    sent: dict[str, Any], model: ModelInfo
) -> None:
    try:
        asked = ChatCompletionRequest.model_validate(sent)
    except ValidationError:
        return
    ignored = [*ignored_by_model(asked, model), *ignored_by_agent(asked, None)]
    for value in ignored_header(ignored).values():
        assert value.isascii()
        assert value.isprintable()
    for translate in (
        lambda: model_request(asked, model, max_tokens=7, user_id="u"),
        lambda: newest_user_blocks(asked.messages),
    ):
        made, error = outcome(translate)
        assert error is None or error.param
        orjson.dumps(made, default=lambda value: {n: getattr(value, n) for n in value.__slots__})


def outcome(translate: Callable[[], object]) -> tuple[object, BadMessages | Unsupported | None]:
    try:
        return translate(), None
    except (BadMessages, Unsupported) as error:
        return None, error


@given(st.lists(message, min_size=1, max_size=6))
def test_conversation_when_it_is_translated_then_roles_alternate_and_nothing_is_empty(
    sent: list[dict[str, Any]],
) -> None:
    try:
        asked = ChatCompletionRequest.model_validate({"messages": sent})
        system, told = conversation(asked.messages)
    except (ValidationError, BadMessages):
        return
    assert [each["role"] for each in told] == [
        ("user", "assistant")[index % 2] for index in range(len(told))
    ]
    for blocks in (system, *(each["content"] for each in told)):
        assert all(block["type"] != "text" or block["text"] for block in blocks)
    assert all(each["content"] for each in told)


def test_system_prompt_when_it_is_a_member_then_it_comes_before_the_system_messages() -> None:
    assert CLAUDE is not None
    asked = ChatCompletionRequest.model_validate(
        {
            "system_prompt": "First.",
            "messages": [
                {"role": "developer", "content": "Second."},
                {"role": "user", "content": "hi"},
                {"role": "system", "content": "Third."},
            ],
        }
    )
    request = model_request(asked, CLAUDE, max_tokens=7, user_id="u")
    assert [block["text"] for block in request.system] == ["First.", "Second.", "Third."]  # pyright: ignore[reportArgumentType]
    assert request.max_tokens == 7


@pytest.mark.parametrize("data", ["QUJD", "QU JD\n", " QUJD"])
def test_image_when_its_base64_is_folded_then_it_is_unfolded(data: str) -> None:
    image = {"type": "image_url", "image_url": f"data:image/png;base64,{data}"}
    asked = ChatCompletionRequest.model_validate(
        {"messages": [{"role": "user", "content": [image]}]}
    )
    assert newest_user_blocks(asked.messages) == [
        {
            "type": "image",
            "text": "",
            "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"},
        }
    ]
