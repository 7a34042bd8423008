"""Retrying a run: anew when it was completed, else on from where it broke off."""

from __future__ import annotations

import asyncio
from typing import Any

from homeport.dispatch import Claim
from homeport.sessions.models import SessionRow
from homeport.sessions.service.conclude import fold
from sessions.agent import Agent, answer, hang
from sessions.door import Door


async def told(door: Door, session_id: str, run_id: str) -> list[tuple[str, str]]:
    """What the model is told in a run: role and text, message by message."""
    async with door.log.database.read() as session:
        row = await session.get_one(SessionRow, session_id)
        history = (await fold(session, row)).history(run_id)
    return [(message["role"], "".join(map(_text, message["content"]))) for message in history]


def _text(block: dict[str, Any]) -> str:
    return str(block.get("text") or block.get("content") or f"<{block['type']}>")


async def use_a_tool_then_fail(agent: Agent, claim: Claim) -> None:
    call = {"type": "tool_use", "id": "call_1", "name": "Bash", "text": "{}"}
    await agent.speak(claim, [call])
    await agent.use_tool(claim, "call_1", "done that")
    await agent.finish(claim, "failed")


async def test_retry_when_the_run_was_completed_then_it_is_answered_anew(door: Door) -> None:
    session_id = await door.session()
    first = await door.say(session_id, "One?")
    await door.until(first["run_id"], "finished")
    again = await door.post(f"/runs/{first['run_id']}/retry")
    assert again["message_id"] == first["message_id"]
    assert again["run_id"] != first["run_id"]
    await door.until(again["run_id"], "finished")
    assert await told(door, session_id, again["run_id"]) == [
        ("user", "One?"),
        ("assistant", "Aye."),
    ]
    # What was said the first time is still read.
    messages = (await door.get(f"/sessions/{session_id}/messages"))["messages"]
    assert [(m["role"], m["run_id"]) for m in messages] == [
        ("user", first["run_id"]),
        ("assistant", first["run_id"]),
        ("assistant", again["run_id"]),
    ]
    follow = await door.say(session_id, "Two?")
    assert await told(door, session_id, follow["run_id"]) == [
        ("user", "One?"),
        ("assistant", "Aye."),
        ("user", "Two?"),
    ]


async def test_retry_when_the_run_failed_then_it_goes_on_behind_what_it_had_done(
    door: Door,
) -> None:
    door.agent.plan = use_a_tool_then_fail
    session_id = await door.session()
    first = await door.say(session_id, "Do it")
    await door.until(first["run_id"], "finished")
    door.agent.plan = answer
    again = await door.post(f"/runs/{first['run_id']}/retry")
    done = [("user", "Do it"), ("assistant", "<tool_use>"), ("user", "done that")]
    await door.until(again["run_id"], "finished")
    assert await told(door, session_id, again["run_id"]) == [*done, ("assistant", "Aye.")]
    # A second one takes back the answer, and nothing of what the first run did.
    third = await door.post(f"/runs/{again['run_id']}/retry")
    await door.until(third["run_id"], "finished")
    assert await told(door, session_id, third["run_id"]) == [*done, ("assistant", "Aye.")]


async def test_retry_when_repeated_with_its_key_then_there_is_one_run(door: Door) -> None:
    session_id = await door.session()
    first = await door.say(session_id)
    await door.until(first["run_id"], "finished")
    path, key = f"/runs/{first['run_id']}/retry", {"Idempotency-Key": "again"}
    answers = await asyncio.gather(*(door.call("POST", path, headers=key) for _ in range(5)))
    assert {each.status for each in answers} == {202}
    assert len({str(each.json) for each in answers}) == 1
    assert (await door.get(f"/sessions/{session_id}/runs"))["total"] == 2


async def test_retry_when_it_cannot_be_then_the_conflict_says_why(door: Door) -> None:
    session_id = await door.session()
    first = await door.say(session_id)
    await door.until(first["run_id"], "finished")
    door.agent.plan = hang
    second = await door.say(session_id)
    await door.until(second["run_id"], "running")

    async def refused(run_id: str, *, name: str = "ada") -> tuple[int, str]:
        answered = await door.call("POST", f"/runs/{run_id}/retry", name=name)
        return answered.status, answered.code

    assert await refused(second["run_id"]) == (409, "session.busy")
    await door.post(f"/sessions/{session_id}/stop")
    await door.until(second["run_id"], "finished")
    assert await refused(first["run_id"]) == (409, "run.not-last")
    assert await refused(second["run_id"], name="bob") == (404, "run.not-found")
    await door.post(f"/sessions/{session_id}/clear")
    assert await refused(second["run_id"]) == (404, "message.not-found")
    await door.post(f"/sessions/{session_id}/archive")
    assert await refused(second["run_id"]) == (409, "session.archived")
    assert (await door.get(f"/sessions/{session_id}/runs"))["total"] == 2
