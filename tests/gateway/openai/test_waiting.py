"""A run that is not over yet: questions to people, the time limit, and who else wants to speak."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from gateway.door import Person, person, user
from support.server import MakeServer

ASKS = "run: echo hello"


async def question_of(ada: Person, session_id: str) -> dict[str, Any]:
    asked = (await ada.get("/approvals?status=requested&limit=1000"))["approvals"]
    return next(each for each in asked if each["session_id"] == session_id)


def at(cursor: str) -> dict[str, str]:
    return {"Last-Event-ID": cursor}


async def test_call_when_people_are_asked_then_it_answers_which_question_and_goes_on_later(
    ada: Person,
) -> None:
    session_id = await ada.new_session(permission_mode="default")
    body = {"messages": user(ASKS), "session_id": session_id}
    answer = await (await ada.chat(body)).json()
    about = answer["homeport"]
    question = await question_of(ada, session_id)
    run = (await ada.runs(session_id))[0]
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["choices"][0]["message"]["content"] == ""
    assert (about["status"], about["approval_id"]) == ("waiting", question["id"])
    assert (about["run_id"], set(about)) == (
        run["id"],
        {"run_id", "status", "approval_id", "cursor"},
    )
    still = await (await ada.chat(body, at(about["cursor"]))).json()
    assert still["homeport"] == about
    await ada.decide(question["id"])
    rest = await (await ada.chat(body, at(about["cursor"]))).json()
    assert rest["homeport"]["status"] == "completed"
    assert "approval_id" not in rest["homeport"]
    assert rest["choices"][0]["message"]["content"] == await ada.said(session_id)
    assert len(await ada.runs(session_id)) == 1


@pytest.mark.parametrize("decision", ["approve", "deny"])
async def test_stream_when_people_are_asked_then_a_frame_says_so_and_it_waits(
    ada: Person, decision: str
) -> None:
    session_id = await ada.new_session(permission_mode="default")
    body = {"messages": user(ASKS), "session_id": session_id}
    async with ada.streaming(body) as (_, frames):
        async for frame in frames:
            if frame.kind == "approval_request":
                break
        asked = frame.json  # pyright: ignore[reportPossiblyUnboundVariable]
        question = await question_of(ada, session_id)
        assert asked["id"] == question["id"]
        assert (asked["tool"], asked["input"]) == ("Bash", {"command": "echo hello"})
        assert asked["choices"][0]["delta"] == {"content": ""}
        await ada.decide(asked["id"], decision)
        rest = [frame async for frame in frames]
    result = next(frame.json for frame in rest if frame.kind == "tool_result")
    if decision == "approve":
        assert ("hello" in result["content"], result["exit_code"]) == (True, 0)
    else:
        assert result["is_error"] is True
    assert rest[-1].kind == "[DONE]"


async def test_call_when_time_is_up_then_it_answers_with_what_there_is(
    make_server: MakeServer,
) -> None:
    server = make_server(CHAT_ANSWER_WITHIN="0.5")
    async with person(server.base_url, "admin", "", server.admin_key) as admin:
        await _told_in_parts(admin)


async def _told_in_parts(admin: Person) -> None:
    session_id = await admin.new_session()
    body = {"messages": user("PERF n=200 i=10"), "session_id": session_id}
    answer = await (await admin.chat(body)).json()
    first = answer["choices"][0]["message"]["content"]
    assert answer["homeport"]["status"] == "running"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert first.startswith("delta 0 delta 1 ")
    said = first
    while answer["homeport"]["status"] != "completed":
        answer = await (await admin.chat(body, at(answer["homeport"]["cursor"]))).json()
        said += answer["choices"][0]["message"]["content"]
    assert said == "".join(f"delta {number} " for number in range(200))


async def test_call_when_another_run_is_unfinished_then_it_is_busy_and_told_how_to_follow_it(
    ada: Person,
) -> None:
    session_id = await ada.new_session(permission_mode="default")
    body = {"messages": user(ASKS), "session_id": session_id}
    about = (await (await ada.chat(body)).json())["homeport"]
    for streaming in (False, True):
        with pytest.raises(openai.ConflictError) as failure:
            await ada.sdk.chat.completions.create(
                model="demo",
                messages=user("another thing"),
                stream=streaming,
                extra_body={"session_id": session_id},
            )
        assert failure.value.code == "session.busy"
        document = failure.value.response.json()
        assert document["homeport"] == about
        assert document["run_id"] == about["run_id"]
    await ada.decide(about["approval_id"])
    answer = await ada.chat(body, at(document["homeport"]["cursor"]))  # pyright: ignore[reportPossiblyUnboundVariable]
    assert (await answer.json())["homeport"]["status"] == "completed"
    assert len(await ada.runs(session_id)) == 1


async def test_busy_when_the_other_run_is_in_the_middle_of_its_answer_then_it_can_be_followed(
    ada: Person,
) -> None:
    session_id = await ada.new_session()
    body = {"messages": user("PERF n=100 i=10"), "session_id": session_id}
    async with ada.streaming(body) as (_, frames):
        for _ in range(5):
            await anext(frames)
        answer = await ada.chat({**body, "messages": user("another thing")})
        document = await answer.json(content_type="application/problem+json")
        assert (answer.status, document["homeport"]["status"]) == (409, "running")
        assert "approval_id" not in document["homeport"]
        heard = await ada.stream(body, at(document["homeport"]["cursor"]))
    assert heard.text == "".join(f"delta {number} " for number in range(100))


async def test_archived_session_when_somebody_speaks_then_it_is_told_so(ada: Person) -> None:
    session_id = await ada.new_session()
    await ada.call("POST", f"/sessions/{session_id}/archive")
    answer = await ada.chat({"messages": user("hi"), "session_id": session_id})
    document = await answer.json(content_type=None)
    assert (answer.status, document["error"]["code"]) == (409, "session.archived")


async def test_stream_when_its_session_is_deleted_then_it_ends_in_order(ada: Person) -> None:
    session_id = await ada.new_session(permission_mode="default")
    body = {"messages": user(ASKS), "session_id": session_id}
    async with ada.streaming(body) as (_, frames):
        async for frame in frames:
            if frame.kind == "approval_request":
                break
        deleting = asyncio.create_task(ada.call("DELETE", f"/sessions/{session_id}"))
        rest = [frame async for frame in frames]
    assert (await deleting).status == 204
    assert [frame.kind for frame in rest[-2:]] == ["chunk", "[DONE]"]
