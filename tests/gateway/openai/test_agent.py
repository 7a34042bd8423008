"""The agent behind OpenAI's wire: sessions, frames, and what plain clients make of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import openai
import pytest

from gateway.door import CLAUDE, Person, user
from support.upstream import Fail, Reply, Upstream, text

STORY = "tell me a long story"
NOBODYS = "0198a000-0000-7000-8000-00000000dead"


async def new_project(ada: Person, folder: Path) -> str:
    """A project in a git repository: there, edits need no question."""
    answer = await ada.call("POST", "/projects", {"name": "calculator"})
    assert answer.status == 201, await answer.text()
    project = await answer.json()
    subprocess.run(["git", "init", "-q", project["path"]], check=True)
    return project["id"]


async def test_agent_when_the_session_is_known_then_it_answers_there_and_history_is_the_servers(
    ada: Person, claude: Upstream
) -> None:
    session_id = await ada.new_session(model=CLAUDE)
    for said in ("one", "two"):
        answer = await ada.sdk.chat.completions.create(
            model=CLAUDE,
            messages=[
                *user("an invented past"),
                {"role": "assistant", "content": "never said"},
                *user(said),
            ],
            extra_body={"session_id": session_id},
        )
        assert answer.choices[0].message.content == "ok"
        assert answer.choices[0].finish_reason == "stop"
        extra = answer.model_extra or {}
        assert extra["session_id"] == session_id
        assert extra["homeport"]["status"] == "completed"
        assert set(extra["homeport"]) == {"run_id", "status", "cursor"}
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 20)
    told = claude.requests[1].body["messages"]
    texts = [block["text"] for message in told for block in message["content"]]
    assert texts == ["one", "ok", "two"], "only the newest user message is taken"
    assert "max_tokens" in claude.requests[1].body
    assert claude.requests[1].body["max_tokens"] > 4096, "an agent's turn has the model's maximum"


@pytest.mark.requirement("26")
async def test_agent_when_a_client_makes_the_session_id_then_the_session_is_made_for_it(
    ada: Person, bob: Person
) -> None:
    session_id = str(uuid4())
    answer = await ada.sdk.chat.completions.create(
        model="demo",
        messages=[
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "developer", "content": "Be kind."},
            *user("  tell me\n a story "),
        ],
        extra_body={"session_id": session_id.upper()},
    )
    assert (answer.model_extra or {})["session_id"] == session_id
    session = await ada.get(f"/sessions/{session_id}")
    assert session["name"] == "tell me a story"
    assert session["system_prompt"] == "Be brief.\n\nBe kind."
    assert session["model"] == "demo"
    assert (answer.model_extra or {})["project_id"] == session["project_id"]
    with pytest.raises(openai.NotFoundError) as failure:
        await bob.sdk.chat.completions.create(
            model="demo", messages=user("hi"), extra_body={"session_id": session_id}
        )
    assert failure.value.code == "session.not-found"


@pytest.mark.parametrize("session_id", ["my-session", "", "0" * 400, "../etc/passwd"])
async def test_agent_when_the_session_id_is_no_uuid_then_it_is_not_found(
    ada: Person, session_id: str
) -> None:
    answer = await ada.chat({"messages": user("hi"), "session_id": session_id})
    document = await answer.json(content_type=None)
    assert (answer.status, document["error"]["code"]) == (404, "session.not-found")
    assert document["error"]["param"] == "session_id"


async def test_agent_when_only_a_project_is_named_then_each_call_has_a_session_of_its_own(
    ada: Person, bob: Person, tmp_path: Path
) -> None:
    project_id = await new_project(ada, tmp_path)
    body = {"model": "demo", "messages": user("write a file"), "project_id": project_id}
    made = [await (await ada.chat(body)).json() for _ in range(2)]
    assert made[0]["session_id"] != made[1]["session_id"]
    assert [each["project_id"] for each in made] == [project_id] * 2
    named = str(uuid4())
    own = await (await ada.chat({**body, "messages": user("hi"), "session_id": named})).json()
    assert (own["session_id"], own["project_id"]) == (named, project_id)
    session = await ada.get(f"/sessions/{made[0]['session_id']}")
    assert session["permission_mode"] == "accept_edits", "a git repository has undo"
    project = await ada.get(f"/projects/{project_id}")
    assert (Path(project["path"]) / "hello.txt").read_text().startswith("Hello")
    answer = await bob.chat(body)
    assert (answer.status, (await answer.json(content_type=None))["error"]["code"]) == (
        404,
        "project.not-found",
    )


async def test_agent_when_the_session_works_in_another_project_then_nothing_is_said_there(
    ada: Person, tmp_path: Path
) -> None:
    project_id, session_id = await new_project(ada, tmp_path), await ada.new_session()
    body = {"messages": user("hi"), "session_id": session_id, "project_id": project_id}
    answer = await ada.chat(body)
    document = await answer.json(content_type=None)
    assert (answer.status, document["error"]["code"]) == (400, "chat.other-project")
    assert await ada.runs(session_id) == []


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ({"messages": user("")}, 400, "message.empty"),
        ({"messages": user(" \n ")}, 400, "message.empty"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, 400, "chat.bad-messages"),
        ({"model": "gpt-17"}, 404, "model.not-found"),
        ({"model": "m" * 121}, 422, "request.unprocessable"),
        ({"project_id": "p" * 37}, 422, "request.unprocessable"),
        ({"project_id": NOBODYS}, 404, "project.not-found"),
        ({"system_prompt": "s" * 100_001}, 422, "request.unprocessable"),
        (
            {"messages": [{"role": "system", "content": "s" * 100_001}, *user("hi")]},
            400,
            "chat.bad-messages",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image_url", "image_url": {"url": "data:image/png;base64,A"}}
                        ],
                    }
                ]
            },
            400,
            "chat.bad-messages",
        ),
        ({"messages": user("x" * (2 << 20))}, 413, "request.too-large"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
async def test_agent_when_the_request_is_wrong_then_no_session_is_made(
    ada: Person, members: dict[str, Any], status: int, code: str, streaming: bool
) -> None:
    session_id = str(uuid4())
    body = {"model": "demo", "messages": user("hi"), "session_id": session_id, "stream": streaming}
    answer = await ada.chat({**body, **members})
    document = await answer.json(content_type="application/problem+json")
    assert (answer.status, document["error"]["code"]) == (status, code)
    assert (await ada.call("GET", f"/sessions/{session_id}")).status == 404


async def test_call_when_the_answer_is_long_then_all_of_it_comes_at_once(ada: Person) -> None:
    """More than a reader hands over at one time, and complete before anybody looks."""
    session_id = await ada.new_session()
    body = {"messages": user("PERF n=12000 i=0"), "session_id": session_id}
    answer = await (await ada.chat(body)).json()
    assert answer["homeport"]["status"] == "completed"
    words = "".join(f"delta {number} " for number in range(12_000))
    assert answer["choices"][0]["message"]["content"] == words


async def test_stream_when_a_result_is_long_then_its_frame_has_the_beginning_as_text(
    ada: Person,
) -> None:
    """Old clients read `content` as a string."""
    session_id = await ada.new_session(permission_mode="accept_edits")
    session = await ada.get(f"/sessions/{session_id}")
    project = await ada.get(f"/projects/{session['project_id']}")
    lines = "".join(f"{number}: {'long ' * 20}\n" for number in range(600))
    (Path(project["path"]) / "long.txt").write_text(lines)
    heard = await ada.stream({"messages": user("read: long.txt"), "session_id": session_id})
    result = next(frame.json for frame in heard.frames if frame.kind == "tool_result")
    assert result["truncated"] is True
    assert result["size"] > 32_768
    assert isinstance(result["content"], str)
    assert "long long" in result["content"]
    whole = await ada.get(result["href"].removeprefix("/v1"))
    assert len(whole["content"].encode()) == result["size"]


async def test_client_when_it_leaves_in_the_middle_then_the_run_goes_on(ada: Person) -> None:
    session_id = await ada.new_session()
    body = {"messages": user("PERF n=100 i=5"), "session_id": session_id}
    heard = await ada.stream(body, most=3)
    assert heard.kinds == ["chunk"] * 3
    run = await ada.until(session_id, "finished")
    assert run["outcome"] == "completed"
    assert await ada.said(session_id) == "".join(f"delta {number} " for number in range(100))


async def test_agent_when_the_provider_refuses_then_the_status_is_its_own_and_no_sdk_repeats_it(
    ada: Person, claude: Upstream
) -> None:
    """The SDKs repeat a POST after a 5xx by themselves: here that would say the message again."""
    session_id = await ada.new_session(model=CLAUDE)
    claude.script(Fail(401), Fail(401))
    sdk = ada.sdk.with_options(max_retries=2)
    with pytest.raises(openai.InternalServerError) as failure:
        await sdk.chat.completions.create(
            model=CLAUDE, messages=user("hi"), extra_body={"session_id": session_id}
        )
    assert (failure.value.status_code, failure.value.code) == (502, "provider.credentials")
    assert failure.value.response.headers["x-should-retry"] == "false"
    run = (await ada.runs(session_id))[0]
    document = failure.value.response.json()
    assert (document["status"], document["run_id"]) == (502, run["id"])
    assert (document["homeport"]["status"], document["reason"]) == (
        "failed",
        "provider.credentials",
    )
    assert len(await ada.runs(session_id)) == 1
    heard = await ada.stream({"messages": user("again"), "session_id": session_id})
    assert heard.kinds == ["chunk", "usage", "error", "[DONE]"]
    assert heard.frames[-2].json["error"]["code"] == "provider.credentials"


async def test_stream_when_an_attempt_breaks_then_a_blank_line_parts_it_from_the_next(
    ada: Person, claude: Upstream
) -> None:
    session_id = await ada.new_session(model=CLAUDE)
    claude.script(Reply(text("Half an ", "ans"), end="cut"), Reply(text("The whole ", "answer")))
    body = {"messages": user("hi"), "session_id": session_id}
    heard = await ada.stream(body)
    assert heard.text == "Half an ans\n\nThe whole answer"
    assert heard.frames[-1].kind == "[DONE]"
    claude.script(Reply(text("Half an ", "ans"), end="cut"), Reply(text("The whole ", "answer")))
    answer = await (await ada.chat(body)).json()
    assert answer["choices"][0]["message"]["content"] == "The whole answer"
