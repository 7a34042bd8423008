"""How a completion would be understood: told without a model, a trace, or a secret."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from gateway.door import CLAUDE, Person, user
from support.canaries.planted import PROVIDER_KEY
from support.upstream import Upstream

DEBUG = "/chat/completions/debug"
NOBODYS = "0198a000-0000-7000-8000-00000000dead"


async def understood(person: Person, body: Any) -> dict[str, Any]:
    answer = await person.call("POST", DEBUG, body)
    assert answer.status == 200, await answer.text()
    assert PROVIDER_KEY not in await answer.text()
    return await answer.json()


async def test_debug_when_it_is_a_stateless_call_then_it_tells_what_the_model_would_get(
    ada: Person, claude: Upstream
) -> None:
    told = await understood(
        ada,
        {
            "model": CLAUDE,
            "messages": [{"role": "system", "content": "Be brief."}, *user("How deep is it?")],
            "tools": [{"type": "function", "function": {"name": "sound"}}],
            "tool_choice": "required",
            "temperature": 0.5,
            "stop": "END",
            "seed": 7,
        },
    )
    assert claude.requests == [], "no model is asked"
    assert (told["mode"], told["model"], told["model_state"]) == ("stateless", CLAUDE, "ready")
    assert told["context"] == "system: Be brief.\nuser: How deep is it?"
    assert 5 < told["tokens"] < 20
    assert told["messages"] == [{"role": "user", "blocks": ["text"], "characters": 15}]
    assert (told["tools"], told["tool_choice"]) == (["sound"], "any")
    assert (told["max_tokens"], told["temperature"], told["stop"]) == (4096, 0.5, ["END"])
    assert told["ignored"] == ["seed"]
    assert told["session_id"] is None
    assert told["modelState"] == told["model_state"]


async def test_debug_when_there_is_a_session_then_it_tells_its_history_and_leaves_no_trace(
    ada: Person,
) -> None:
    session_id = await ada.new_session(system_prompt="Be kind.", permission_mode="accept_edits")
    await ada.chat({"messages": user("write a file"), "session_id": session_id})
    before = await ada.get(f"/sessions/{session_id}")
    told = await understood(
        ada,
        {
            "session_id": session_id,
            "model": "another",
            "messages": [*user("old"), *user("And now?")],
            "max_tokens": 5,
        },
    )
    assert (told["mode"], told["model"], told["model_state"]) == ("agent", "demo", "ready")
    assert (told["session_id"], told["project_id"]) == (session_id, before["project_id"])
    lines = told["context"].split("\n")
    assert lines[0] == "system: Be kind."
    assert lines[1] == "user: write a file"
    assert "assistant: [calls Write]" in lines
    assert lines[-1] == "user: And now?"
    assert [each["role"] for each in told["messages"]] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert told["ignored"] == ["max_tokens", "model"]
    assert told["max_tokens"] is None
    assert await ada.get(f"/sessions/{session_id}") == before


async def test_debug_when_old_clients_ask_in_their_spellings_then_they_get_their_members(
    ada: Person,
) -> None:
    session_id = await ada.new_session()
    old = await understood(
        ada, {"sessionId": session_id, "prompt": "Where are we?", "includeContext": True}
    )
    assert old["sessionId"] == session_id
    assert old["context"] == "user: Where are we?"
    assert isinstance(old["tokens"], int)
    assert old["modelState"] == "ready"
    silent = await understood(
        ada, {"session_id": session_id, "input": "Where are we?", "include_context": False}
    )
    assert (silent["context"], silent["tokens"]) == ("", old["tokens"])


async def test_debug_when_the_session_would_be_made_then_it_is_not(ada: Person) -> None:
    session_id = str(uuid4())
    told = await understood(
        ada,
        {
            "session_id": session_id,
            "model": "demo",
            "messages": [{"role": "system", "content": "Be kind."}, *user("hi")],
        },
    )
    assert (told["mode"], told["session_id"], told["model"]) == ("agent", session_id, "demo")
    assert told["context"] == "system: Be kind.\nuser: hi"
    assert (await ada.call("GET", f"/sessions/{session_id}")).status == 404


async def test_debug_when_a_run_waits_then_the_state_says_so(ada: Person) -> None:
    session_id = await ada.new_session(permission_mode="default")
    await ada.chat({"messages": user("run: echo hello"), "session_id": session_id})
    told = await understood(ada, {"session_id": session_id, "prompt": "hi"})
    assert told["model_state"] == "waiting"


async def test_debug_when_there_is_much_then_the_context_is_its_end_and_pictures_are_named(
    ada: Person, claude: Upstream
) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    content = [{"type": "text", "text": "x" * 100_000}, picture, {"type": "text", "text": "Why?"}]
    told = await understood(
        ada, {"model": CLAUDE, "messages": [{"role": "user", "content": content}]}
    )
    assert len(told["context"]) == 32 * 1024
    assert told["context"].endswith("x\nuser: [image]\nuser: Why?")
    assert told["tokens"] > 25_000
    assert told["messages"][0]["blocks"] == ["text", "image", "text"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"prompt": "hi", "model": "gpt-17"}, 404, "model.not-found"),
        ({"messages": []}, 400, "chat.bad-messages"),
        ({"prompt": "hi", "session_id": "nonsense"}, 404, "session.not-found"),
        ({"prompt": "hi", "project_id": NOBODYS}, 404, "project.not-found"),
        ({"prompt": "hi", "n": 2}, 400, "chat.unsupported"),
        ({"session_id": NOBODYS}, 400, "chat.bad-messages"),
        ({"prompt": 7}, 422, "request.unprocessable"),
    ],
)
async def test_debug_when_the_call_would_fail_then_it_fails_alike(
    ada: Person, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await ada.call("POST", DEBUG, {"model": "demo", **body})
    document = await answer.json(content_type="application/problem+json")
    assert (answer.status, document["error"]["code"]) == (status, code)


@pytest.mark.requirement("26")
async def test_debug_when_the_session_is_somebody_elses_or_nobody_asks_then_it_is_refused(
    ada: Person, bob: Person
) -> None:
    session_id = await ada.new_session(system_prompt="A secret of Ada's.")
    answer = await bob.call("POST", DEBUG, {"session_id": session_id, "prompt": "hi"})
    assert answer.status == 404
    assert "secret" not in await answer.text()
    async with ada.http.post(f"{ada.base_url}/v1{DEBUG}", json={"prompt": "hi"}) as nobody:
        assert nobody.status == 401
