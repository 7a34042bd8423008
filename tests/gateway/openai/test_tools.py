"""Tools of the client, the choice among them, and answers in JSON, which are one of ours."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from pydantic import BaseModel

from gateway.door import CLAUDE, Person, chunks_of, text_of, user
from support.upstream import Reply, Upstream, text, tool_use

WEATHER: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}


class Harbour(BaseModel):
    name: str
    berths: int


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
async def test_tools_when_the_model_calls_them_then_results_go_back_and_it_answers(
    ada: Person, claude: Upstream, streaming: bool
) -> None:
    claude.script(
        Reply(
            [
                *text("Let me look."),
                *tool_use("weather", '{"pla', 'ce":"Porto"}', id="toolu_1", index=1),
                *tool_use("weather", id="toolu_2", index=2),
            ],
            stop_reason="tool_use",
        ),
        Reply(text("It rains.")),
    )
    messages = user("Porto?")
    if streaming:
        async with ada.sdk.chat.completions.stream(
            model=CLAUDE, messages=messages, tools=[WEATHER]
        ) as stream:
            answer = await stream.get_final_completion()
    else:
        answer = await ada.sdk.chat.completions.create(
            model=CLAUDE, messages=messages, tools=[WEATHER]
        )
    assert answer.choices[0].finish_reason == "tool_calls"
    message = answer.choices[0].message
    assert message.content == "Let me look."
    calls = [call for call in message.tool_calls or () if call.type == "function"]
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
        ("toolu_1", "weather", '{"place":"Porto"}'),
        ("toolu_2", "weather", "{}"),
    ]
    results: list[ChatCompletionMessageParam] = [
        {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": [{"type": "text", "text": "?"}]},
    ]
    said: Any = message.model_dump(exclude_none=True, exclude={"parsed"})
    last = await ada.sdk.chat.completions.create(
        model=CLAUDE, messages=[*messages, said, *results], tools=[WEATHER]
    )
    assert last.choices[0].message.content == "It rains."
    sent = claude.requests[1].body["messages"]
    assert [each["role"] for each in sent] == ["user", "assistant", "user"]
    assert [block["type"] for block in sent[1]["content"]] == ["text", "tool_use", "tool_use"]
    assert sent[1]["content"][1]["input"] == {"place": "Porto"}
    given = [(block["tool_use_id"], block["content"][0]["text"]) for block in sent[2]["content"]]
    assert given == [("toolu_1", "rain"), ("toolu_2", "?")]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, None),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {"type": "tool", "name": "weather"},
        ),
        (
            {"parallel_tool_calls": False},
            {"type": "auto", "disable_parallel_tool_use": True},
        ),
        (
            {"parallel_tool_calls": False, "tool_choice": "required"},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
    ],
)
async def test_tool_choice_when_it_is_given_then_the_model_is_held_to_it(
    ada: Person, claude: Upstream, asked: dict[str, Any], told: dict[str, Any] | None
) -> None:
    await ada.sdk.chat.completions.create(
        model=CLAUDE, messages=user("hi"), tools=[WEATHER], **asked
    )
    sent = claude.requests[0].body
    assert sent.get("tool_choice") == told
    assert sent["tools"][0]["name"] == "weather"
    assert sent["tools"][0]["input_schema"] == WEATHER["function"].get("parameters")


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
async def test_response_format_when_it_is_a_schema_then_the_answer_is_json_of_it(
    ada: Person, claude: Upstream, streaming: bool
) -> None:
    answer = '{"name":"Porto","berths":7}'
    claude.script(
        Reply(
            [*text("Here it is: "), *tool_use("respond", answer[:9], answer[9:], id="t", index=1)],
            stop_reason="tool_use",
        )
    )
    if streaming:
        async with ada.sdk.chat.completions.stream(
            model=CLAUDE, messages=user("hi"), response_format=Harbour
        ) as stream:
            completion = await stream.get_final_completion()
    else:
        completion = await ada.sdk.chat.completions.parse(
            model=CLAUDE, messages=user("hi"), response_format=Harbour
        )
    assert completion.choices[0].message.content == answer
    assert completion.choices[0].message.parsed == Harbour(name="Porto", berths=7)
    assert completion.choices[0].finish_reason == "stop"
    assert not completion.choices[0].message.tool_calls
    sent = claude.requests[0].body
    assert sent["tool_choice"] == {"type": "tool", "name": "respond"}
    assert set(sent["tools"][0]["input_schema"]["properties"]) == {"name", "berths"}


@pytest.mark.parametrize(
    ("reply", "content", "finish"),
    [
        (Reply(tool_use("respond", id="t"), stop_reason="tool_use"), "{}", "stop"),
        (Reply(text("I may not."), stop_reason="refusal"), "I may not.", "content_filter"),
        (Reply(tool_use("respond", '{"a', id="t"), stop_reason="max_tokens"), '{"a', "length"),
    ],
    ids=["empty", "refused", "cut"],
)
async def test_json_object_when_the_model_gives_none_or_half_then_that_is_told_alike(
    ada: Person, claude: Upstream, reply: Reply, content: str, finish: str
) -> None:
    claude.script(reply, reply)
    wanted: Any = {"type": "json_object"}
    whole = await ada.sdk.chat.completions.create(
        model=CLAUDE, messages=user("hi"), response_format=wanted
    )
    chunks = await chunks_of(ada, response_format=wanted)
    assert whole.choices[0].message.content == text_of(chunks) == content
    assert whole.choices[0].finish_reason == chunks[-1].choices[0].finish_reason == finish
