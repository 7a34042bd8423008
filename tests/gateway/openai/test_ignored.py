"""Members without an effect are named in a header, never refused."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.door import CLAUDE, Person, user
from support.upstream import Upstream

HEADER = "X-Homeport-Ignored"
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "t", "strict": True, "parameters": {}},
}


@pytest.mark.parametrize(
    ("members", "ignored"),
    [
        ({}, None),
        (
            {
                "presence_penalty": 0,
                "frequency_penalty": 0.0,
                "logit_bias": {},
                "logprobs": False,
                "seed": None,
                "store": False,
                "n": 1,
                "temperature": 0.5,
                "top_p": 1,
                "user": "zoe",
            },
            None,
        ),
        (
            {"seed": 7, "presence_penalty": 0.5, "frobnicate": 1},
            "frobnicate, presence_penalty, seed",
        ),
        ({"mcp": {"enabled_servers": ["files"]}}, "mcp"),
        ({"tools": [TOOL]}, "tools[].function.strict"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        (
            {"messages": [{"role": "user", "content": "hi", "name": "Zoe", "audio": None}]},
            "messages[].name",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}},
                            {
                                "type": "image_url",
                                "image_url": {"url": "https://example.org/a.png", "detail": "low"},
                            },
                        ],
                    }
                ]
            },
            "messages[].content[].cache_control, messages[].content[].image_url.detail",
        ),
    ],
)
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
async def test_model_when_it_does_not_heed_a_member_then_the_header_names_it(
    ada: Person, claude: Upstream, members: dict[str, Any], ignored: str | None, streaming: bool
) -> None:
    body = {"model": CLAUDE, "messages": user("hi"), "stream": streaming, **members}
    answer = await ada.chat(body)
    assert answer.status == 200
    assert answer.headers.get(HEADER) == ignored


async def test_model_when_it_takes_no_sampling_then_that_is_ignored_too(
    ada: Person, claude: Upstream
) -> None:
    asked = {"messages": user("hi"), "temperature": 0, "top_p": 0.5}
    for model in ("claude-opus-5-5", "demo"):
        answer = await ada.chat({**asked, "model": model})
        assert answer.status == 200
        assert answer.headers[HEADER] == "temperature, top_p"
    assert not {"temperature", "top_p"} & set(claude.requests[0].body)


async def test_header_when_members_have_evil_names_then_it_holds_no_more_than_a_header_may(
    ada: Person, claude: Upstream
) -> None:
    evil = {"a\r\nSet-Cookie: x=1": 1, "ünï": 1, "b, c": 1, "d" * 500: 1}
    many = {f"member_{number:03}": 1 for number in range(300)}
    for streaming in (False, True):
        body = {"model": CLAUDE, "messages": user("hi"), "stream": streaming}
        answer = await ada.chat({**body, **evil})
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers
        assert answer.headers[HEADER].split(", ") == [
            "a%0D%0ASet-Cookie%3A%20x%3D1",
            "b%2C%20c",
            "d" * 64,
            "%C3%BCn%C3%AF",
        ]
        answer = await ada.chat({**body, **many})
        assert len(answer.headers[HEADER].split(", ")) == 32


async def test_agent_when_it_decides_by_itself_then_what_clients_send_by_habit_is_named(
    ada: Person,
) -> None:
    session_id = await ada.new_session(system_prompt="Be brief.")
    body = {
        "model": CLAUDE,
        "messages": [{"role": "system", "content": "You are a pirate."}, *user("hi")],
        "session_id": session_id,
        "temperature": 0,
        "top_p": 1,
        "max_tokens": 100,
        "n": 1,
        "stop": "END",
        "tools": [TOOL],
        "system_prompt": "Be long.",
        "frobnicate": {"a": 1},
    }
    for streaming in (False, True):
        answer = await ada.chat({**body, "stream": streaming})
        assert answer.status == 200, await answer.text()
        assert answer.headers[HEADER] == (
            "frobnicate, max_tokens, model, stop, system_prompt, temperature, tools"
        )
        await ada.until(session_id, "finished")
    assert (await (await ada.chat(body)).json())["model"] == "demo"


async def test_agent_when_everything_is_heeded_then_there_is_no_header(ada: Person) -> None:
    session_id = await ada.new_session(system_prompt="Be brief.")
    body = {
        "model": "demo",
        "messages": user("hi"),
        "session_id": session_id,
        "system_prompt": "Be brief.",
        "stream_options": {"include_usage": True},
    }
    answer = await ada.chat(body)
    assert answer.status == 200
    assert HEADER not in answer.headers
