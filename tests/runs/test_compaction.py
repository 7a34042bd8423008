"""A conversation that has grown too long for its model goes on from a summary."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from runs.conftest import ONE_DATABASE, OwnDoor
from runs.door import Door, Json, kinds, of_kind, texts, whole
from support.upstream import Fail, Hang, Reply, Upstream, text, tool_use

pytestmark = ONE_DATABASE

# The default model has a window of 1,000,000 tokens, of which 128,000 are kept for the answer.
FULL = {"input_tokens": 800_000, "output_tokens": 1}
SUMMARY = "We greeted each other; next comes the second greeting."


def told(request: Json) -> list[tuple[str, list[str]]]:
    """Role and content of each message of a request."""
    return [
        (
            message["role"],
            [
                block["text"] if block["type"] == "text" else block["type"]
                for block in message["content"]
            ],
        )
        for message in request["messages"]
    ]


def bodies(claude: Upstream) -> list[Json]:
    return [received.body for received in claude.requests]


async def test_context_when_it_is_nearly_full_then_the_next_answer_starts_from_a_summary(
    door: Door, claude: Upstream
) -> None:
    session_id = await door.session()
    claude.script(
        Reply(text("Hello!"), usage=FULL), Reply(text(SUMMARY)), Reply(text("Hello again."))
    )
    await door.ran(session_id, "hello")
    events = await door.ran(session_id, "and again")
    assert kinds(events)[:6] == [
        "message.submitted",
        "run.queued",
        "run.started",
        "compaction.started",
        "context.compacted",
        "turn.started",
    ]
    (begun,), (compacted,) = (
        of_kind(events, "compaction.started"),
        of_kind(events, "context.compacted"),
    )
    assert begun["context_tokens"] > 800_000
    assert compacted["summary"] == SUMMARY
    first, asked, after = bodies(claude)
    # What the provider's cache has seen is asked again, word by word.
    assert asked["system"] == first["system"]
    assert [tool["name"] for tool in asked["tools"]] == [tool["name"] for tool in first["tools"]]
    assert asked["tool_choice"] == {"type": "none"}
    assert told(asked)[:-1] == [("user", ["hello"]), ("assistant", ["Hello!"])]
    role, (wish, instruction) = told(asked)[-1]
    assert (role, wish) == ("user", "and again")
    assert "summary" in instruction
    ((role, (remembered, wish)),) = told(after)
    assert (role, wish) == ("user", "and again")
    assert remembered.endswith(SUMMARY)
    # Both calls are paid for, and the conversation is read whole.
    assert (events[-1]["input_tokens"], events[-1]["output_tokens"]) == (20, 40)
    claude.script(Reply(text("Third.")))
    await door.ran(session_id, "third")
    assert told(bodies(claude)[-1])[1:] == [("assistant", ["Hello again."]), ("user", ["third"])]
    page = await door.get(f"/v1/sessions/{session_id}/messages")
    assert [message["content"] for message in page["messages"]][:2] == ["hello", "Hello!"]
    whole(await door.events(session_id))


async def test_context_when_it_fills_in_the_middle_of_work_then_no_call_is_parted_from_its_result(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    (workspace / "note.txt").write_text("seven")
    session_id = await door.session(workspace)
    read = tool_use("Read", json.dumps({"file_path": "note.txt"}), id="toolu_1")
    claude.script(
        Reply(read, stop_reason="tool_use", usage=FULL),
        Reply(text("The note says seven.")),
        Reply(text("Seven.")),
    )
    events = await door.ran(session_id, "what does the note say?")
    assert list(texts(events).values())[-1] == "Seven."
    assert len(of_kind(events, "tool.started")) == 1
    _, asked, after = bodies(claude)
    assert [role for role, _ in told(asked)] == ["user", "assistant", "user"]
    assert told(asked)[2][1][0] == "tool_result"
    ((_, (remembered, wish)),) = told(after)
    assert remembered.endswith("The note says seven.")
    assert wish == "what does the note say?"
    assert events[-1]["turns"] == 2


async def test_compaction_when_the_provider_is_overloaded_then_it_is_asked_again(
    door: Door, claude: Upstream
) -> None:
    session_id = await door.session()
    claude.script(
        Reply(text("Hello!"), usage=FULL), Fail(529), Reply(text(SUMMARY)), Reply(text("Again."))
    )
    await door.ran(session_id, "hello")
    events = await door.ran(session_id, "and again")
    assert [e["code"] for e in of_kind(events, "turn.retried")] == ["provider.overloaded"]
    assert len(of_kind(events, "context.compacted")) == 1
    assert events[-1]["status"] == "completed"


async def test_compaction_when_it_fails_for_good_then_nothing_is_forgotten(
    door: Door, claude: Upstream
) -> None:
    session_id = await door.session()
    claude.script(Reply(text("Hello!"), usage=FULL), Reply([]))
    await door.ran(session_id, "hello")
    events = await door.ran(session_id, "and again")
    assert (events[-1]["status"], events[-1]["reason"]) == ("failed", "provider.failed")
    claude.script(Reply(text(SUMMARY)), Reply(text("Here I am.")))
    events = await door.ran(session_id, "third")
    assert told(bodies(claude)[-2])[0] == ("user", ["hello"])
    assert list(texts(events).values()) == ["Here I am."]


@pytest.mark.requirement("F4")
async def test_compaction_when_the_server_is_killed_in_it_then_it_is_made_once(
    own_door: OwnDoor, claude: Upstream
) -> None:
    door = own_door(ANTHROPIC_IDLE_TIMEOUT="60", LEASE_TTL="2")
    session_id = await door.session()
    claude.script(
        Reply(text("Hello!"), usage=FULL), Hang(), Reply(text(SUMMARY)), Reply(text("Again."))
    )
    await door.ran(session_id, "hello")
    run_id = await door.say(session_id, "and again")
    await door.until(session_id, "compaction.started")
    async with asyncio.timeout(20):
        while len(claude.requests) < 2:
            await asyncio.sleep(0.05)
    door.server.restart()
    events = await door.over(session_id, run_id)
    assert events[-1]["status"] == "completed"
    assert len(of_kind(events, "compaction.started")) == 2
    assert len(of_kind(events, "context.compacted")) == 1
    whole(await door.events(session_id))


async def test_retry_when_it_is_compacted_then_what_was_asked_for_is_still_told_word_by_word(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    (workspace / "note.txt").write_text("seven")
    session_id = await door.session(workspace)
    read = tool_use("Read", json.dumps({"file_path": "note.txt"}), id="toolu_1")
    claude.script(Reply(read, stop_reason="tool_use", usage=FULL), Fail(400))
    run_id = await door.say(session_id, "fix bug 42, delete nothing")
    failed = await door.over(session_id, run_id)
    assert failed[-1]["status"] == "failed"
    assert len(of_kind(failed, "compaction.failed")) == 1
    claude.script(Reply(text(SUMMARY)), Reply(text("Fixed.")))
    again = (await door.post(f"/v1/runs/{run_id}/retry"))["run_id"]
    events = await door.over(session_id, again)
    assert len(of_kind(events, "context.compacted")) == 1
    ((_, (remembered, wish)),) = told(bodies(claude)[-1])
    assert remembered.endswith(SUMMARY)
    assert wish == "fix bug 42, delete nothing"


async def test_compaction_when_it_fails_then_what_it_used_is_in_the_bill(
    door: Door, claude: Upstream
) -> None:
    session_id = await door.session()
    claude.script(Reply(text("Hello!"), usage=FULL), Reply([]))
    await door.ran(session_id, "hello")
    events = await door.ran(session_id, "and again")
    (failed,) = of_kind(events, "compaction.failed")
    assert (failed["input_tokens"], failed["output_tokens"]) == (10, 20)
    assert (events[-1]["input_tokens"], events[-1]["output_tokens"]) == (10, 20)


async def test_fork_when_the_original_was_compacted_then_the_copy_remembers_the_summary(
    door: Door, claude: Upstream
) -> None:
    session_id = await door.session()
    claude.script(
        Reply(text("Hello!"), usage=FULL), Reply(text(SUMMARY)), Reply(text("Hello again."))
    )
    await door.ran(session_id, "hello")
    await door.ran(session_id, "and again")
    fork = await door.post(f"/v1/sessions/{session_id}/fork")
    door.made.append(fork["id"])
    claude.script(Reply(text("Third.")))
    await door.ran(fork["id"], "third")
    (_, (remembered, _)), *later = told(bodies(claude)[-1])
    assert remembered.endswith(SUMMARY)
    assert later == [("assistant", ["Hello again."]), ("user", ["third"])]
