"""Questions to people, for real: what an answer does to the model, to other devices, to later calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runs.conftest import ONE_DATABASE, OwnDoor
from runs.door import Door, Json, kinds, of_kind
from support.sse import Heard, heard
from support.upstream import Reply, Upstream, text, tool_use

DONE = Reply(text("Done."))


def bash(call_id: str, command: str) -> Reply:
    """A turn that runs one command."""
    return Reply(
        tool_use("Bash", json.dumps({"command": command}), id=call_id), stop_reason="tool_use"
    )


async def asked(door: Door, session_id: str, call_id: str) -> Json:
    """The question about a call, once it is asked."""
    events = await door.until(
        session_id, lambda e: e["kind"] == "approval.requested" and e["call_id"] == call_id
    )
    [event] = [e for e in of_kind(events, "approval.requested") if e["call_id"] == call_id]
    await door.until(session_id, lambda e: event["approval_id"] in e.get("approval_ids", ()))
    return await door.get(f"/v1/approvals/{event['approval_id']}")


async def answer(door: Door, session_id: str, call_id: str, **members: str) -> Json:
    """Answers the question about a call."""
    question = await asked(door, session_id, call_id)
    return await door.post(f"/v1/approvals/{question['id']}", dict(members))


def results(claude: Upstream) -> dict[str, Json]:
    """By call, what the model was last told of it."""
    return {
        block["tool_use_id"]: block
        for message in claude.requests[-1].body["messages"]
        for block in message["content"]
        if block["type"] == "tool_result"
    }


@ONE_DATABASE
async def test_answer_when_denied_with_a_note_then_the_model_reads_the_note(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="default")
    claude.script(bash("t1", "echo made > file"), DONE)
    run_id = await door.say(session_id, "go")
    await answer(door, session_id, "t1", decision="deny", note="Not on a Friday \u26f5")
    events = await door.over(session_id, run_id)
    assert events[-1]["status"] == "completed"
    told = results(claude)["t1"]
    assert told["is_error"] is True
    assert "denied" in told["content"]
    assert "Not on a Friday \u26f5" in told["content"]
    assert "tool.started" not in kinds(events)
    assert not (workspace / "file").exists()


@ONE_DATABASE
async def test_answers_when_a_turn_asks_several_then_each_call_goes_its_own_way(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="default")
    calls = [
        block
        for number in range(3)
        for block in tool_use(
            "Bash", json.dumps({"command": f"echo {number} >> file"}), id=f"t{number}", index=number
        )
    ]
    claude.script(Reply(calls, stop_reason="tool_use"), DONE)
    run_id = await door.say(session_id, "go")
    for number, decision in enumerate(("approve", "deny", "approve")):
        await asked(door, session_id, f"t{number}")
        assert len(claude.requests) == 1, "the next turn waits for every answer"
        await answer(door, session_id, f"t{number}", decision=decision)
    events = await door.over(session_id, run_id)
    assert kinds(events).count("run.paused") == 1
    assert [each["status"] for each in of_kind(events, "tool.finished")] == [
        "completed",
        "denied",
        "completed",
    ]
    assert [told["is_error"] for told in results(claude).values()] == [False, True, False]
    assert (workspace / "file").read_text() == "0\n2\n"


@ONE_DATABASE
async def test_answer_when_nobody_gives_one_then_it_expires_and_the_model_is_told(
    own_door: OwnDoor, claude: Upstream, workspace: Path
) -> None:
    door = own_door(APPROVAL_TTL="1")
    session_id = await door.session(workspace, permission_mode="default")
    claude.script(bash("t1", "echo made > file"), DONE)
    run_id = await door.say(session_id, "go")
    events = await door.over(session_id, run_id)
    assert events[-1]["status"] == "completed"
    [expired] = of_kind(events, "approval.expired")
    assert (expired["reason"], expired["actor"]) == ("timeout", "system")
    [result] = of_kind(events, "tool.finished")
    assert (result["status"], result["is_error"]) == ("expired", True)
    assert results(claude)["t1"]["content"] == result["content"]
    late = await door.refused(
        "POST", f"/v1/approvals/{expired['approval_id']}", {"decision": "approve"}, status=409
    )
    assert late["decision"] == "expired"
    assert not (workspace / "file").exists()


async def test_answer_when_another_device_gives_it_then_the_first_one_sees_it_come(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    phone = replace(door, headers=await key_of_its_own(door, "phone"))
    session_id = await door.session(workspace, permission_mode="default")
    claude.script(bash("t1", "echo made > file"), DONE)
    async with stream(door, session_id) as desk:
        await door.say(session_id, "go")
        question = await until(desk, "approval.requested")
        await until(desk, "run.paused")
        given = await phone.post(
            f"/v1/approvals/{question['approval_id']}", {"decision": "approve", "note": "Aye"}
        )
        seen = await until(desk, "approval.approved")
        assert (seen["approval_id"], seen["note"]) == (question["approval_id"], "Aye")
        assert seen["actor"] == f"user:{given['decided_by']}"
        late = await door.refused(
            "POST", f"/v1/approvals/{question['approval_id']}", {"decision": "deny"}, status=409
        )
        assert late["error"]["code"] == "approval.decided"
        assert (late["decision"], late["note"]) == ("approved", "Aye")
        assert late["decided_by"] == given["decided_by"]
        assert (await until(desk, "tool.finished"))["status"] == "completed"
        assert (await until(desk, "run.finished"))["status"] == "completed"
    assert (workspace / "file").read_text() == "made\n"


async def test_answers_when_fifty_come_from_devices_at_once_then_one_counts_and_the_call_is_made_once(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    devices = [replace(door, headers=await key_of_its_own(door, f"d{n}")) for n in range(5)]
    session_id = await door.session(workspace, permission_mode="default")
    claude.script(bash("t1", "echo made >> file"), DONE)
    run_id = await door.say(session_id, "go")
    question = await asked(door, session_id, "t1")
    path = f"/v1/approvals/{question['id']}"
    answers = await asyncio.gather(
        *(
            devices[number % 5].call("POST", path, {"decision": ("approve", "deny")[number % 2]})
            for number in range(50)
        )
    )
    statuses = sorted(each.status for each in answers)
    assert statuses == [200, *[409] * 49]
    documents = [await each.json() for each in answers]
    [won] = [each["status"] for each in documents if "decided_by" in each and "error" not in each]
    assert {each["decision"] for each in documents if "error" in each} == {won}
    events = await door.over(session_id, run_id)
    assert [k for k in kinds(events) if k.startswith("approval.")][1:] == [f"approval.{won}"]
    assert made(events) == (["t1"] if won == "approved" else [])
    assert (workspace / "file").exists() is (won == "approved")
    if won == "approved":
        assert (workspace / "file").read_text() == "made\n"


@ONE_DATABASE
@pytest.mark.requirement("56")
async def test_scope_when_once_run_or_always_then_it_covers_that_and_nothing_more(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    project = await door.post("/v1/projects", {"name": "scopes", "path": str(workspace)})
    session_id = await door.session(project_id=project["id"], permission_mode="default")
    one, two = "touch one", "touch two"

    claude.script(bash("a", one), bash("b", one), bash("c", one), bash("d", two), DONE)
    run_id = await door.say(session_id, "go")
    await answer(door, session_id, "a", decision="approve", scope="once")
    await answer(door, session_id, "b", decision="approve", scope="run")
    await answer(door, session_id, "d", decision="approve", scope="always")
    events = await door.over(session_id, run_id)
    assert (questions(events), made(events)) == (["a", "b", "d"], ["a", "b", "c", "d"])

    claude.script(bash("e", two), bash("f", one), bash("g", "touch two three"), DONE)
    run_id = await door.say(session_id, "again")
    await answer(door, session_id, "f", decision="deny")
    await answer(door, session_id, "g", decision="deny")
    events = await door.over(session_id, run_id)
    assert (questions(events), made(events)) == (["f", "g"], ["e"])

    claude.script(bash("h", two), DONE)
    neighbour = await door.session(project_id=project["id"], permission_mode="default")
    events = await door.over(neighbour, await door.say(neighbour, "go"))
    assert (questions(events), made(events)) == ([], ["h"])

    elsewhere = workspace.parent / "elsewhere"
    elsewhere.mkdir()
    claude.script(bash("i", two), DONE)
    stranger = await door.session(elsewhere, permission_mode="default")
    run_id = await door.say(stranger, "go")
    await answer(door, stranger, "i", decision="deny")
    events = await door.over(stranger, run_id)
    assert (questions(events), made(events)) == (["i"], [])


def made(events: list[Json]) -> list[str]:
    """The calls that were made, in order."""
    ended = of_kind(events, "tool.finished")
    return [event["call_id"] for event in ended if event["status"] == "completed"]


def questions(events: list[Json]) -> list[str]:
    """The calls that people were asked about, in order."""
    return [event["call_id"] for event in of_kind(events, "approval.requested")]


async def key_of_its_own(door: Door, name: str) -> dict[str, str]:
    """The headers of another device of the same person."""
    made = await door.post("/v1/auth/api-keys", {"name": name})
    return {"Authorization": f"Bearer {made['api_key']}"}


@asynccontextmanager
async def stream(door: Door, session_id: str) -> AsyncGenerator[AsyncIterator[Heard]]:
    """A device that looks on."""
    url = f"{door.server.base_url}/v1/sessions/{session_id}/stream?after=0"
    async with door.http.get(url, headers=door.server.admin) as answer:
        yield heard(answer)


async def until(frames: AsyncIterator[Heard], kind: str) -> Json:
    """The next frame of a kind."""
    async for frame in frames:
        if frame.event == kind:
            return frame.data
    raise AssertionError(f"the stream ended without {kind}")
