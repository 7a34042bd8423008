"""Questions of the agent: asked, listed, answered once, expired."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from homeport.kernel import clock
from homeport.sessions.chores import expire_approvals
from homeport.sessions.models import ApprovalRow
from homeport.tools.models import ToolGrantRow
from sessions.agent import ask
from sessions.door import ONE_DATABASE, Door


async def waiting(door: Door, command: str = "ls") -> tuple[str, dict[str, Any]]:
    """A session whose run waits for an answer, and the question."""
    door.agent.plan, door.agent.command = ask, command
    session_id = await door.session()
    said = await door.say(session_id)
    await door.until(said["run_id"], "waiting")
    return session_id, await door.get(f"/approvals/{door.agent.asked[-1]}")


@pytest.mark.requirement("56")
async def test_answer_when_approved_then_the_run_goes_on(door: Door) -> None:
    session_id, question = await waiting(door)
    assert (question["status"], question["tool"]) == ("requested", "Bash")
    assert (question["input"], question["summary"]) == ({"command": "ls"}, "Bash: ls")
    assert (question["network"], question["decided_by"]) == ("none", None)
    answered = await door.post(f"/approvals/{question['id']}", {"decision": "approve"})
    assert (answered["status"], answered["scope"]) == ("approved", "once")
    assert answered["decided_by"] == door.names.people["ada"].user_id
    assert answered["decided_at"].endswith("Z")
    done = await door.until(question["run_id"], "finished")
    assert done["outcome"] == "completed"
    kinds = await door.kinds(session_id)
    assert kinds.index("approval.approved") < kinds.index("tool.started")


async def test_answer_when_denied_then_the_note_is_kept(door: Door) -> None:
    session_id, question = await waiting(door)
    body = {"decision": "deny", "note": "Not there."}
    answered = await door.post(f"/approvals/{question['id']}", body)
    assert (answered["status"], answered["scope"]) == ("denied", None)
    denied = next(r for r in await door.events(session_id) if r.kind == "approval.denied")
    assert b"Not there." in denied.payload
    assert denied.actor == door.names.people["ada"].actor


@pytest.mark.requirement("F24")
async def test_answer_when_fifty_come_at_once_then_one_wins_and_the_rest_are_told(
    door: Door,
) -> None:
    session_id, question = await waiting(door)
    bodies = [{"decision": ("approve", "deny")[number % 2]} for number in range(50)]
    path = f"/approvals/{question['id']}"
    answers = await asyncio.gather(*(door.call("POST", path, body) for body in bodies))
    winners = [answer for answer in answers if answer.status == 200]
    assert len(winners) == 1
    first = winners[0].json["status"]
    for late in (answer for answer in answers if answer.status != 200):
        assert (late.status, late.code) == (409, "approval.decided")
        assert late.json["decision"] == first
        assert late.json["decided_by"] == door.names.people["ada"].user_id
    await door.until(question["run_id"], "finished")
    answered = {"approval.approved", "approval.denied"}
    kinds = await door.kinds(session_id)
    assert [kind for kind in kinds if kind in answered] == [f"approval.{first}"]
    assert len(door.agent.driven) == 2


async def test_answer_when_the_scope_outlives_the_run_then_only_that_grant_is_kept(
    door: Door,
) -> None:
    for scope in ("run", "always"):
        _, question = await waiting(door)
        body = {"decision": "approve", "scope": scope}
        answered = await door.post(f"/approvals/{question['id']}", body)
        assert answered["scope"] == scope
        await door.until(question["run_id"], "finished")
    async with door.log.database.read() as session:
        rows = (await session.scalars(select(ToolGrantRow))).all()
    assert [(row.run_id, row.tool, row.digest) for row in rows] == [(None, "Bash", "d" * 64)]


@pytest.mark.requirement("56")
async def test_answer_when_a_shell_would_be_approved_for_always_then_it_is_refused(
    door: Door,
) -> None:
    session_id, question = await waiting(door, command="bash -c ls")
    path = f"/approvals/{question['id']}"
    refused = await door.call("POST", path, {"decision": "approve", "scope": "always"})
    assert (refused.status, refused.code) == (400, "approval.scope-not-allowed")
    assert (await door.get(path))["status"] == "requested"
    assert "approval.approved" not in await door.kinds(session_id)
    assert (await door.post(path, {"decision": "approve"}))["status"] == "approved"


@ONE_DATABASE
async def test_answer_when_the_body_is_wrong_then_nothing_is_decided(door: Door) -> None:
    _, question = await waiting(door)
    path = f"/approvals/{question['id']}"
    for body in ({}, {"decision": "maybe"}, {"decision": "deny", "scope": "ever"}, {"note": "x"}):
        refused = await door.call("POST", path, body)
        assert (refused.status, refused.code) == (422, "request.unprocessable"), body
    assert (await door.get(path))["status"] == "requested"


async def test_list_when_filtered_then_only_those_come_newest_first(door: Door) -> None:
    _, first = await waiting(door)
    _, second = await waiting(door, command="echo " + "x" * 40_000)
    await door.post(f"/approvals/{first['id']}", {"decision": "deny"})
    everything = await door.get("/approvals")
    assert [each["id"] for each in everything["approvals"]] == [second["id"], first["id"]]
    assert everything["approvals"][0]["input"] == {
        "truncated": True,
        "size": len(f'{{"command":"{second["input"]["command"]}"}}'),
        "href": f"/v1/approvals/{second['id']}",
    }
    still_open = await door.get("/approvals?status=requested")
    assert [each["id"] for each in still_open["approvals"]] == [second["id"]]
    assert still_open["total"] == 1
    page = await door.get("/approvals?limit=1")
    rest = await door.get(f"/approvals?limit=1&cursor={page['next_cursor']}")
    assert [each["id"] for each in rest["approvals"]] == [first["id"]]
    refused = await door.call("GET", "/approvals?status=maybe")
    assert (refused.status, refused.code) == (400, "request.not-a-choice")


async def test_expire_when_the_time_is_over_then_the_run_goes_on_and_answers_come_late(
    door: Door,
) -> None:
    session_id, question = await waiting(door)
    path = f"/approvals/{question['id']}"
    async with door.log.database.write() as session:
        past = clock.utc_now() - timedelta(seconds=1)
        await session.execute(update(ApprovalRow).values(expires_at=past))
    early = await door.call("POST", path, {"decision": "approve"})
    assert (early.status, early.json["decision"]) == (409, "expired")
    database = door.log.database
    assert await expire_approvals(door.log, database, door.dispatcher) == 1
    assert await expire_approvals(door.log, database, door.dispatcher) == 0
    await door.until(question["run_id"], "finished")
    assert (await door.get(path))["status"] == "expired"
    late = await door.call("POST", path, {"decision": "approve"})
    assert (late.status, late.json["decision"]) == (409, "expired")
    assert (await door.kinds(session_id)).count("approval.expired") == 1
