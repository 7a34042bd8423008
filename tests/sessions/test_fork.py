"""Forking a conversation at a cursor."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from homeport.dispatch import Claim
from homeport.dispatch.lease import fenced
from homeport.eventlog import Record
from homeport.eventlog.catalogue.message import MessageCompleted, MessageStarted
from homeport.kernel.ids import new_id
from homeport.sessions.models import SessionRow
from homeport.sessions.service import journal
from sessions.agent import Agent, answer, ask, hang
from sessions.door import ONE_DATABASE, Door, eventually

OWN = {"session_id", "run_id", "message_id", "at", "of", "run_no", "client_message_id"}


def facts(records: list[Record]) -> list[tuple[str, dict[str, Any]]]:
    """Kinds and what is in them, without the ids that differ from session to session."""
    return [
        (r.kind, {k: v for k, v in r.event().model_dump().items() if k not in OWN}) for r in records
    ]


async def texts(door: Door, session_id: str) -> list[tuple[str, str]]:
    page = await door.get(f"/sessions/{session_id}/messages")
    return [(message["role"], message["content"]) for message in page["messages"]]


async def say(door: Door, session_id: str, text: str) -> dict[str, Any]:
    said = await door.say(session_id, text)
    await door.until(said["run_id"], "finished")
    return said


async def test_fork_when_made_then_it_holds_the_same_and_both_go_on_apart(door: Door) -> None:
    origin = await door.session(name="Talk", system_prompt="Be brief.")
    await say(door, origin, "One?")
    forked = await door.post(f"/sessions/{origin}/fork", {"name": "Other talk"})
    fork = forked["id"]
    assert (forked["name"], forked["system_prompt"]) == ("Other talk", "Be brief.")
    assert (forked["message_count"], forked["total_tokens"]) == (2, 0)
    await say(door, origin, "Two?")
    await say(door, fork, "Three?")
    start = [("user", "One?"), ("assistant", "Aye.")]
    assert await texts(door, origin) == [*start, ("user", "Two?"), ("assistant", "Aye.")]
    assert await texts(door, fork) == [*start, ("user", "Three?"), ("assistant", "Aye.")]
    ids = {m["id"] for s in (origin, fork) for m in (await messages(door, s))}
    assert len(ids) == 8
    copied = await door.events(fork)
    assert [record.kind for record in copied[:2]] == ["session.created", "session.forked"]
    assert copied[1].event().model_dump() | {"from_session_id": origin} == (
        copied[1].event().model_dump()
    )


async def messages(door: Door, session_id: str) -> list[dict[str, Any]]:
    page: list[dict[str, Any]] = (await door.get(f"/sessions/{session_id}/messages"))["messages"]
    return page


async def test_fork_when_cut_at_every_event_then_it_is_the_beginning_and_nothing_is_unfinished(
    door: Door,
) -> None:
    async def work(agent: Agent, claim: Claim) -> None:
        call = {"type": "tool_use", "id": "call_1", "name": "Bash", "text": "{}"}
        await agent.speak(claim, [{"type": "text", "text": "I look."}, call])
        await agent.use_tool(claim, "call_1", "seen")
        await answer(agent, claim)

    door.agent.plan = work
    origin = await door.session()
    await say(door, origin, "Look")
    whole = await door.events(origin)
    events: list[Record] = []
    for record in whole:
        forked = await door.post(f"/sessions/{origin}/fork", {"at": str(record.seq)})
        events = await door.events(forked["id"])
        runs = (await door.get(f"/sessions/{forked['id']}/runs"))["runs"]
        assert [run["status"] for run in runs] == ["finished"] * len(runs)
        asked = [e for e in events if e.kind == "message.completed"]
        results = [e.event() for e in events if e.kind == "tool.finished"]
        calls = sum(
            b["type"] == "tool_use" for e in asked for b in e.event().model_dump()["blocks"]
        )
        assert len(results) == calls
        assert forked["status"] in {"idle", "active"}
    copied = facts(events)
    assert [kind for kind, _ in copied[2:]] == [
        r.kind for r in whole if r.kind not in {"session.created", "run.started"}
    ]
    used = [fact for kind, fact in copied if kind == "message.completed"]
    assert [fact["output_tokens"] for fact in used] == [0, 0]


async def test_fork_when_cut_inside_an_open_message_then_what_was_read_is_kept(door: Door) -> None:
    written = asyncio.Event()

    async def speak_on(agent: Agent, claim: Claim) -> None:
        message_id = new_id()
        async with fenced(agent.log, claim) as unit:
            row = await unit.session.get_one(SessionRow, claim.session_id)
            begun = MessageStarted(
                message_id=message_id, run_id=claim.run_id, turn=1, model=row.model
            )
            seq = await journal.begin_message(unit, row, begun, epoch=claim.epoch)
        writer = agent.log.open_message(
            claim.stream, message_id=message_id, started_seq=seq, epoch=claim.epoch
        )
        writer.block_started("text")
        writer.delta("Ahoy, ⛵ and farewell")
        await agent.log.flush()
        written.set()
        await hang(agent, claim)

    door.agent.plan = speak_on
    origin = await door.session()
    said = await door.say(origin, "Speak")
    await written.wait()
    head = (await door.events(origin))[-1].seq
    forked = await door.post(f"/sessions/{origin}/fork", {"at": f"{head}.0.7"})
    assert await texts(door, forked["id"]) == [("user", "Speak"), ("assistant", "Ahoy, ⛵")]
    whole = await door.post(f"/sessions/{origin}/fork")
    assert await texts(door, whole["id"]) == [
        ("user", "Speak"),
        ("assistant", "Ahoy, ⛵ and farewell"),
    ]
    unread = await door.post(f"/sessions/{origin}/fork", {"at": str(head)})
    assert await texts(door, unread["id"]) == [("user", "Speak")]
    # The broken-off answer can be given again.
    door.agent.plan = answer
    [run] = (await door.get(f"/sessions/{forked['id']}/runs"))["runs"]
    assert run["outcome"] == "interrupted"
    again = await door.post(f"/runs/{run['id']}/retry")
    await door.until(again["run_id"], "finished")
    await door.post(f"/sessions/{origin}/stop")
    await door.until(said["run_id"], "finished")


async def test_fork_when_a_message_was_queued_in_an_answer_then_the_order_is_the_same(
    door: Door,
) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def speak_slowly(agent: Agent, claim: Claim) -> None:
        message_id = new_id()
        async with fenced(agent.log, claim) as unit:
            row = await unit.session.get_one(SessionRow, claim.session_id)
            opened = MessageStarted(
                message_id=message_id, run_id=claim.run_id, turn=1, model=row.model
            )
            await journal.begin_message(unit, row, opened, epoch=claim.epoch)
        begun.set()
        await over.wait()
        async with fenced(agent.log, claim) as unit:
            row = await unit.session.get_one(SessionRow, claim.session_id)
            blocks = [{"type": "text", "text": "Slowly."}]
            closed = MessageCompleted(
                message_id=message_id, run_id=claim.run_id, turn=1, blocks=blocks
            )
            await journal.close_message(unit, row, closed)
        await agent.finish(claim)

    door.agent.plan = speak_slowly
    origin = await door.session()
    await door.say(origin, "One?")
    await begun.wait()
    queued = await door.say(origin, "Two?")
    over.set()
    await door.until(queued["run_id"], "finished")
    fork = (await door.post(f"/sessions/{origin}/fork"))["id"]
    assert await texts(door, fork) == await texts(door, origin)
    copied = [kind for kind, _ in facts(await door.events(fork))]
    whole = [kind for kind in await door.kinds(origin) if kind != "run.started"]
    assert copied == ["session.created", "session.forked", *whole[1:]]


async def test_fork_when_a_question_is_open_then_it_is_asked_in_the_original_only(
    door: Door,
) -> None:
    door.agent.plan = ask
    origin = await door.session()
    said = await door.say(origin)
    await door.until(said["run_id"], "waiting")
    fork = (await door.post(f"/sessions/{origin}/fork"))["id"]
    approvals = (await door.get("/approvals?status=requested"))["approvals"]
    assert [each["session_id"] for each in approvals] == [origin]
    [result] = [e.event() for e in await door.events(fork) if e.kind == "tool.finished"]
    assert result.model_dump()["status"] == "cancelled"
    door.agent.plan = answer
    await say(door, fork, "Never mind")


async def test_fork_when_repeated_with_its_key_then_there_is_one(door: Door) -> None:
    origin = await door.session()
    await say(door, origin, "One?")
    key, path = {"Idempotency-Key": "fork"}, f"/sessions/{origin}/fork"
    answers = await asyncio.gather(*(door.call("POST", path, headers=key) for _ in range(5)))
    assert {each.status for each in answers} == {201}
    assert len({each.json["id"] for each in answers}) == 1
    other = await door.call("POST", path, {"at": "1"}, headers=key)
    assert (other.status, other.code) == (422, "idempotency.key-reused")
    assert (await door.get("/sessions"))["total"] == 2


@pytest.mark.parametrize(
    ("at", "status", "code"),
    [
        ("x", 400, "stream.bad-cursor"),
        ("1.2", 400, "stream.bad-cursor"),
        ("1.0.5", 400, "stream.bad-cursor"),
        ("99", 409, "stream.cursor-ahead"),
    ],
)
@ONE_DATABASE
async def test_fork_when_the_cursor_is_none_of_its_then_nothing_is_made(
    door: Door, at: str, status: int, code: str
) -> None:
    origin = await door.session()
    refused = await door.call("POST", f"/sessions/{origin}/fork", {"at": at})
    assert (refused.status, refused.code) == (status, code)
    assert (await door.get("/sessions"))["total"] == 1


async def test_fork_when_it_is_another_s_session_then_it_is_not_found(door: Door) -> None:
    origin = await door.session()
    refused = await door.call("POST", f"/sessions/{origin}/fork", name="bob")
    assert (refused.status, refused.code) == (404, "session.not-found")

    async def none_of_bob() -> bool:
        return (await door.get("/sessions", name="bob"))["total"] == 0

    await eventually(none_of_bob)


async def test_fork_when_the_memory_was_cleared_then_only_what_came_after_is_copied(
    door: Door,
) -> None:
    origin = await door.session()
    await say(door, origin, "Forget this")
    await door.post(f"/sessions/{origin}/clear")
    await say(door, origin, "Keep this")
    fork = (await door.post(f"/sessions/{origin}/fork"))["id"]
    assert await texts(door, fork) == [("user", "Keep this"), ("assistant", "Aye.")]
