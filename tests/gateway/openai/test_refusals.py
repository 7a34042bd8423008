"""Requests that are wrong: told where, and no model is asked."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from gateway.door import CLAUDE, Person, refused, user
from support.upstream import Upstream


def with_members(**members: Any) -> dict[str, Any]:
    return {"model": CLAUDE, "messages": user("hi"), **members}


def with_content(*parts: Any) -> dict[str, Any]:
    return {"model": CLAUDE, "messages": [{"role": "user", "content": list(parts)}]}


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
TOOL = {"type": "function", "function": {"name": "t"}}
CALL = {"id": "c", "type": "function", "function": {"name": "t", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (with_members(model="gpt-17"), 404, "model.not-found", "model"),
        (with_members(model=""), 422, "request.unprocessable", "model"),
        (with_members(messages=[]), 422, "request.unprocessable", "messages"),
        ({"model": CLAUDE}, 422, "request.unprocessable", "messages"),
        (with_members(messages=user("")), 400, "chat.bad-messages", "messages"),
        (with_members(messages="hi"), 422, "request.unprocessable", "messages"),
        (
            with_members(messages=[{"role": "captain", "content": "hi"}]),
            422,
            "request.unprocessable",
            "messages.0.role",
        ),
        (
            with_members(messages=[{"role": "assistant", "content": "hi"}]),
            400,
            "chat.bad-messages",
            "messages",
        ),
        (
            with_members(messages=[*user("hi"), {"role": "tool", "content": "x"}]),
            400,
            "chat.bad-messages",
            "messages[1].tool_call_id",
        ),
        (
            with_members(
                messages=[*user("hi"), {"role": "assistant", "tool_calls": [{"id": "c"}]}]
            ),
            400,
            "chat.bad-messages",
            "messages[1].tool_calls",
        ),
        (with_content({"type": "input_audio"}), 400, "chat.bad-messages", "messages[0].content[0]"),
        (with_content({"type": ["text"]}), 400, "chat.bad-messages", "messages[0].content[0]"),
        (with_content({"type": "text"}), 400, "chat.bad-messages", "messages[0].content[0]"),
        (with_content({"type": "image_url"}), 400, "chat.bad-messages", "messages[0].content[0]"),
        (
            with_content({"type": "image_url", "image_url": {"url": "http://example.org/a.png"}}),
            400,
            "chat.bad-messages",
            "messages[0].content[0]",
        ),
        (
            with_content({"type": "image_url", "image_url": {"url": "data:image/png;base64,A"}}),
            400,
            "chat.bad-messages",
            "messages[0].content[0]",
        ),
        (
            with_content({"type": "image_url", "image_url": {"url": "data:text/html;base64,QUJD"}}),
            400,
            "chat.bad-messages",
            "messages[0].content[0]",
        ),
        ({**with_content(PICTURE), "model": "demo"}, 400, "chat.unsupported", "messages"),
        (with_members(n=2), 400, "chat.unsupported", "n"),
        (with_members(max_tokens=0), 422, "request.unprocessable", "max_tokens"),
        (with_members(temperature=2.5), 422, "request.unprocessable", "temperature"),
        (with_members(tools=[{"type": "mcp"}]), 400, "chat.unsupported", "tools[0]"),
        (
            with_members(tools=[{"type": "function", "function": {}}]),
            400,
            "chat.bad-messages",
            "tools[0].function.name",
        ),
        (with_members(tool_choice="required"), 400, "chat.unsupported", "tool_choice"),
        (with_members(tools=[TOOL], tool_choice="all"), 400, "chat.unsupported", "tool_choice"),
        (
            with_members(tools=[TOOL], tool_choice={"type": "allowed_tools"}),
            400,
            "chat.unsupported",
            "tool_choice",
        ),
        (
            with_members(model="demo", tools=[TOOL], tool_choice="required"),
            400,
            "chat.unsupported",
            "tool_choice",
        ),
        (
            with_members(model="demo", response_format={"type": "json_object"}),
            400,
            "chat.unsupported",
            "response_format",
        ),
        (
            with_members(response_format={"type": "grammar"}),
            400,
            "chat.unsupported",
            "response_format",
        ),
        (
            with_members(response_format={"type": "json_schema", "json_schema": {"schema": {}}}),
            400,
            "chat.unsupported",
            "response_format",
        ),
        (
            with_members(response_format={"type": "json_schema", "json_schema": ["x"]}),
            400,
            "chat.unsupported",
            "response_format",
        ),
        (
            with_members(response_format={"type": "json_object"}, tools=[TOOL]),
            400,
            "chat.unsupported",
            "response_format",
        ),
    ],
)
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
async def test_call_when_the_request_is_wrong_then_it_is_told_where_and_no_model_is_asked(
    ada: Person,
    claude: Upstream,
    body: dict[str, Any],
    status: int,
    code: str,
    param: str,
    streaming: bool,
) -> None:
    document = await refused(ada, {**body, "stream": streaming})
    error = document["error"]
    assert (error["status"], error["code"], error["param"]) == (status, code, param)
    assert claude.requests == []


async def test_call_when_its_message_has_2_mb_then_it_is_too_large(
    ada: Person, claude: Upstream
) -> None:
    with pytest.raises(openai.APIStatusError) as failure:
        await ada.sdk.chat.completions.create(model=CLAUDE, messages=user("x" * (2 << 20)))
    assert failure.value.status_code == 413
    assert failure.value.code == "request.too-large"
    assert claude.requests == []


@pytest.mark.parametrize("raw", [b'{"messages": [', b"[]x", b'{"a": 1, "a": 2}', b'{"a": "\xff"}'])
async def test_call_when_the_body_is_no_json_then_it_is_told_so(ada: Person, raw: bytes) -> None:
    headers = {**ada.headers, "Content-Type": "application/json"}
    url = f"{ada.base_url}/v1/chat/completions"
    async with ada.http.post(url, data=raw, headers=headers) as answer:
        document = await answer.json(content_type="application/problem+json")
    assert answer.status == 400
    assert document["error"]["code"] == "request.malformed-json"
    assert document["error"]["type"] == "invalid_request_error"


async def test_call_when_arguments_were_garbled_then_the_conversation_goes_on(
    ada: Person, claude: Upstream
) -> None:
    """A cut call comes back from clients with an error as its result; that must not end it all."""
    call = {**CALL, "function": {"name": "t", "arguments": '{"pla'}}
    result = {"role": "tool", "tool_call_id": "c", "content": "The arguments are no JSON."}
    body = with_members(messages=[*user("hi"), {"role": "assistant", "tool_calls": [call]}, result])
    answer = await ada.chat(body)
    assert answer.status == 200
    assert claude.requests[0].body["messages"][1]["content"][0]["input"] == {}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer nonsense"}, {"X-API-Key": "ck_nonsense"}],
    ids=["none", "bearer", "key"],
)
async def test_call_when_nobody_is_known_to_call_then_it_is_401(
    ada: Person, claude: Upstream, headers: dict[str, str]
) -> None:
    url = f"{ada.base_url}/v1/chat/completions"
    async with ada.http.post(url, json=with_members(), headers=headers) as answer:
        document = await answer.json(content_type="application/problem+json")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert document["error"]["type"] == "authentication_error"
    assert claude.requests == []


async def test_sdk_when_its_key_is_wrong_then_it_says_authentication_error(ada: Person) -> None:
    async with AsyncOpenAI(base_url=f"{ada.base_url}/v1", api_key="ck_wrong") as stranger:
        for streaming in (False, True):
            with pytest.raises(openai.AuthenticationError) as failure:
                await stranger.chat.completions.create(
                    model="demo", messages=user("hi"), stream=streaming
                )
            assert failure.value.code == "auth.invalid-credential"
