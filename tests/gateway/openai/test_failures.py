"""What goes wrong with a stateless call, as the error document and as the SDK's exceptions."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI

from gateway.door import CLAUDE, PATIENCE_S, Person, user
from support.server import Server
from support.upstream import Fail, Hang, Reply, Upstream, event, text

ERROR_MEMBERS = {"code", "type", "message", "status", "param", "details"}


async def refused(ada: Person, body: Any) -> dict[str, Any]:
    """The error document of a request that has to fail."""
    answer = await ada.call("POST", "/chat/completions", body)
    document = await answer.json(content_type="application/problem+json")
    assert answer.status == document["status"] == document["error"]["status"] >= 400
    assert set(document["error"]) == ERROR_MEMBERS
    assert document["instance"] == "/v1/chat/completions"
    return document


def recorded(server: Server) -> list[dict[str, Any]]:
    """The usage of stateless calls, as the log has it: no route shows it yet."""
    path = server.data_dir / "homeport.db"
    query = (
        "SELECT p.payload FROM events e JOIN event_payloads p"
        " ON p.stream_id = e.stream_id AND p.seq = e.seq"
        " WHERE e.kind = 'usage.recorded' ORDER BY e.position"
    )
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return [orjson.loads(payload) for (payload,) in database.execute(query)]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("step", "status", "code", "retry_after"),
    [
        (Fail(429, headers={"retry-after": "17"}), 429, "provider.rate-limited", "17"),
        (Fail(529), 503, "provider.overloaded", None),
        (Fail(503, headers={"retry-after": "3"}), 503, "provider.overloaded", "3"),
        (Fail(401, "invalid x-api-key"), 502, "provider.credentials", None),
        (Fail(403), 502, "provider.credentials", None),
        (Fail(500), 502, "provider.failed", None),
        (Fail(400, "messages: too odd"), 400, "provider.refused", None),
        (Fail(404, "model: claude-sonnet-4-5"), 404, "model.not-found", None),
        (Fail(502, body=b"<html>oops</html>"), 502, "provider.failed", None),
        (Hang(), 504, "provider.timeout", None),
        (Reply(end="cut", bare=True), 502, "provider.interrupted", None),
    ],
    ids=["429", "529", "503", "401", "403", "500", "400", "404", "html", "hang", "cut"],
)
async def test_call_when_the_provider_fails_at_once_then_the_status_says_how(
    ada: Person,
    claude: Upstream,
    step: Any,
    status: int,
    code: str,
    retry_after: str | None,
    streaming: bool,
) -> None:
    claude.script(step)
    answer = await ada.chat({"model": CLAUDE, "messages": user("hi"), "stream": streaming})
    document = await answer.json(content_type="application/problem+json")
    assert (answer.status, document["error"]["code"]) == (status, code)
    assert answer.headers.get("Retry-After") == retry_after
    assert "sk-test" not in await answer.text()


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (Fail(429), openai.RateLimitError),
        (Fail(529), openai.InternalServerError),
        (Fail(401), openai.InternalServerError),
        (Fail(400), openai.BadRequestError),
        (Fail(404, "model: x"), openai.NotFoundError),
    ],
    ids=["429", "529", "401", "400", "404"],
)
async def test_sdk_when_the_provider_fails_then_its_own_exceptions_tell_it(
    ada: Person, claude: Upstream, step: Any, kind: type[openai.APIStatusError]
) -> None:
    claude.script(step)
    with pytest.raises(kind) as failure:
        await ada.sdk.chat.completions.create(model=CLAUDE, messages=user("hi"))
    assert isinstance(failure.value.body, dict)
    assert failure.value.code == failure.value.body["code"]  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.parametrize(
    ("reply", "code", "shown"),
    [
        (Reply(text("Half ", "an answer"), end="cut"), "provider.interrupted", "Half an answer"),
        (Reply(text("Half "), end="close"), "provider.interrupted", "Half "),
        (Reply(text("Half "), end="hang"), "provider.timeout", "Half "),
        (
            Reply(
                [
                    *text("Half "),
                    event("error", error={"type": "overloaded_error", "message": "o"}),
                ],
                end="close",
            ),
            "provider.overloaded",
            "Half ",
        ),
    ],
    ids=["cut", "closed", "silent", "error"],
)
async def test_stream_when_it_breaks_in_the_middle_then_an_error_frame_and_done_end_it(
    ada: Person, claude: Upstream, reply: Reply, code: str, shown: str
) -> None:
    claude.script(reply, reply)
    body: dict[str, Any] = {"model": CLAUDE, "messages": user("hi")}
    heard = await ada.stream(body)
    assert heard.text.strip() == shown.strip()
    assert heard.kinds[-2:] == ["error", "[DONE]"]
    assert heard.frames[-2].json["error"]["code"] == code
    assert set(heard.frames[-2].json["error"]) == ERROR_MEMBERS
    with pytest.raises(openai.APIError) as failure:
        async for _ in await ada.sdk.chat.completions.create(**body, stream=True):
            pass
    assert failure.value.code == code


async def test_call_when_it_breaks_in_the_middle_then_nothing_of_it_is_an_answer(
    ada: Person, claude: Upstream
) -> None:
    claude.script(Reply(text("Half ", "an answer"), end="cut"))
    document = await refused(ada, {"model": CLAUDE, "messages": user("hi")})
    assert (document["status"], document["error"]["code"]) == (502, "provider.interrupted")


async def test_usage_when_calls_end_in_any_way_then_each_is_recorded_and_no_text_is(
    ada: Person, claude: Upstream, harbour: Server
) -> None:
    before = len(recorded(harbour))
    secret = "an unheard-of word: zwirbelfitz"
    claude.script(
        Reply(text(secret)),
        Reply(text(secret)),
        Reply(text(secret), end="cut"),
        Fail(500),
        Reply(text(*["more "] * 3_000), interval_s=0.01),
    )
    body = {"model": CLAUDE, "messages": user(f"Say: {secret}")}
    await ada.chat(body)
    await ada.stream(body)
    await ada.stream(body)
    await refused(ada, body)
    await ada.stream(body, most=2)
    async with asyncio.timeout(PATIENCE_S):
        while len(made := recorded(harbour)[before:]) < 5:
            await asyncio.sleep(0.02)
    told = [(each["status"], each["input_tokens"], each["output_tokens"]) for each in made]
    assert told == [
        ("completed", 10, 20),
        ("completed", 10, 20),
        ("failed", 10, 1),
        ("failed", 0, 0),
        ("cancelled", 10, 1),
    ]
    assert made[0]["cost_usd"] == pytest.approx((10 * 3 + 20 * 15) / 1e6)
    kept = b"".join(path.read_bytes() for path in harbour.data_dir.glob("homeport.db*"))
    assert b"usage.recorded" in kept
    assert b"zwirbelfitz" not in kept
    assert "zwirbelfitz" not in harbour.log()


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
