"""Where a message stands in the list, and that it stays there (docs/decisions/0012)."""

from __future__ import annotations

import asyncio
from typing import Any

from homeport.dispatch import Claim
from sessions.agent import Agent
from sessions.door import Door


def contents(messages: list[dict[str, Any]]) -> list[str]:
    return [message["content"] for message in messages]


async def test_messages_when_a_question_waits_then_each_keeps_its_place_and_runs_tell_them_apart(
    door: Door,
) -> None:
    begun, going = asyncio.Event(), asyncio.Event()

    async def slowly(agent: Agent, claim: Claim) -> None:
        await agent.speak(claim, [{"type": "text", "text": "I look."}])
        begun.set()
        await going.wait()
        await agent.speak(claim, [{"type": "text", "text": "Aye."}])
        await agent.finish(claim)

    door.agent.plan = slowly
    session_id = await door.session()
    path = f"/sessions/{session_id}/messages"
    await door.say(session_id, "One?")
    await begun.wait()
    waiting = await door.say(session_id, "Two?")
    page = await door.get(f"{path}?limit=2")
    assert contents(page["messages"]) == ["One?", "I look."]
    known = (await door.get(path))["messages"]
    assert known[-1]["id"] == waiting["message_id"]  # what was said is there at once
    going.set()
    await door.until(waiting["run_id"], "finished")

    whole = (await door.get(path))["messages"]
    assert contents(whole) == ["One?", "I look.", "Two?", "Aye.", "I look.", "Aye."]
    assert whole[:3] == known
    assert (await door.get(f"{path}?offset={len(known)}"))["messages"] == whole[3:]
    read = page["messages"]
    while page["next_cursor"] is not None:
        page = await door.get(f"{path}?limit=1&cursor={page['next_cursor']}")
        read += page["messages"]
    assert read == whole

    runs: dict[str, list[dict[str, Any]]] = {}
    for message in whole:
        runs.setdefault(message["run_id"], []).append(message)
    assert [contents(run) for run in runs.values()] == [
        ["One?", "I look.", "Aye."],
        ["Two?", "I look.", "Aye."],
    ]
