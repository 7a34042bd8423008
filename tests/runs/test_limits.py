"""What one run may take: at a limit it ends, with not one call more, and the session goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from runs.conftest import ONE_DATABASE, SharedServer
from runs.door import Door, Json, kinds, of_kind, texts, whole
from support.upstream import Reply, Upstream, text, tool_use

TURNS, TOKENS, CALLS, OUTPUT_BYTES, SECONDS = 6, 100_000, 8, 40_000, 5
LOOPS = 40
"""Answers that are scripted where a run must end long before."""

pytestmark = pytest.mark.requirement("58")


@pytest.fixture
async def door(
    shared_server: SharedServer, dialect: str, claude: Upstream, http: aiohttp.ClientSession
) -> AsyncIterator[Door]:
    """A server whose runs may take little of each thing, and as long as they like."""
    del claude
    server = shared_server(
        dialect,
        RUN_MAX_TURNS=str(TURNS),
        RUN_MAX_TOKENS=str(TOKENS),
        RUN_MAX_TOOL_CALLS=str(CALLS),
        RUN_MAX_OUTPUT_BYTES=str(OUTPUT_BYTES),
    )
    opened = Door(http, server)
    yield opened
    await opened.stop_all()


@pytest.fixture
async def hasty(
    shared_server: SharedServer, dialect: str, claude: Upstream, http: aiohttp.ClientSession
) -> AsyncIterator[Door]:
    """A server whose runs may take a few seconds."""
    server = shared_server(dialect, RUN_MAX_SECONDS=str(SECONDS), ANTHROPIC_IDLE_TIMEOUT="30")
    opened = Door(http, server)
    # The first call of a server loads what is slow to load, which may take all that time.
    await opened.ran(await opened.session(), "hello")
    claude.forget()
    yield opened
    await opened.stop_all()


def bash(command: str, number: int, index: int = 0) -> list[bytes]:
    """A call of Bash, with an id of its own."""
    return tool_use("Bash", json.dumps({"command": command}), id=f"toolu_{number}", index=index)


def write(number: int, index: int = 0) -> list[bytes]:
    """A call that leaves a file of its own."""
    arguments = json.dumps({"file_path": f"made-{number}", "content": "x"})
    return tool_use("Write", arguments, id=f"toolu_{number}", index=index)


def calling(call: list[bytes], **members: object) -> Reply:
    """An answer that is one call."""
    return Reply(call, stop_reason="tool_use", **members)  # pyright: ignore[reportArgumentType]


async def ended_by(door: Door, session_id: str, events: list[Json], reason: str) -> Json:
    """The end of a run at a limit, as the log and the API tell it; the session goes on after it."""
    assert kinds(events)[-1] == "run.finished"
    end = events[-1]
    assert (end["status"], end["reason"]) == ("budget_exceeded", reason)
    run = await door.get(f"/v1/runs/{end['run_id']}")
    assert (run["status"], run["outcome"], run["reason"]) == ("finished", "budget_exceeded", reason)
    starts = [e["call_id"] for e in of_kind(events, "tool.started")]
    asked = [
        b["id"] for e in of_kind(events, "message.completed") for b in e["blocks"] if "id" in b
    ]
    assert len(set(starts)) == len(starts)
    assert [e["call_id"] for e in of_kind(events, "tool.finished")] == asked
    return end


async def goes_on(door: Door, claude: Upstream, session_id: str) -> None:
    """A session whose run has ended at a limit answers the next message."""
    claude.forget()
    after = await door.ran(session_id, "and now?")
    assert after[-1]["status"] == "completed"
    assert list(texts(after).values()) == ["ok"]
    told = claude.requests[-1].body["messages"]
    calls = [b["id"] for m in told for b in m["content"] if b["type"] == "tool_use"]
    results = [b["tool_use_id"] for m in told for b in m["content"] if b["type"] == "tool_result"]
    assert results == calls
    whole(await door.events(session_id))


async def test_turns_when_the_model_loops_for_ever_then_it_is_not_asked_once_more(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    claude.script(*(calling(write(number)) for number in range(LOOPS)))
    events = await door.ran(session_id, "loop")
    end = await ended_by(door, session_id, events, "limit.turns")
    assert end["turns"] == len(claude.requests) == len(of_kind(events, "turn.started")) == TURNS
    assert len(list(workspace.iterdir())) == TURNS
    await goes_on(door, claude, session_id)


async def test_tokens_when_they_are_used_up_then_the_model_is_not_asked_once_more(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    # What was read from and written to the cache counts as what was sent.
    usage = {
        "input_tokens": 1_000,
        "cache_read_input_tokens": TOKENS // 4,
        "cache_creation_input_tokens": TOKENS // 4,
        "output_tokens": 1,
    }
    calls = (calling(write(n), usage=usage, output_tokens=500) for n in range(LOOPS))
    claude.script(*calls)
    events = await door.ran(session_id, "loop")
    end = await ended_by(door, session_id, events, "limit.tokens")
    assert len(claude.requests) == 2
    assert (end["input_tokens"], end["output_tokens"]) == (2_000, 1_000)
    assert (end["cache_read_tokens"], end["cache_write_tokens"]) == (TOKENS // 2, TOKENS // 2)
    await goes_on(door, claude, session_id)


async def test_calls_when_an_answer_asks_for_too_many_then_not_one_more_is_made(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    for turn in range(LOOPS // 3):
        calls = [b for each in range(3) for b in write(3 * turn + each, index=each)]
        claude.script(Reply(calls, stop_reason="tool_use"))
    events = await door.ran(session_id, "loop")
    await ended_by(door, session_id, events, "limit.tool_calls")
    statuses = [event["status"] for event in of_kind(events, "tool.finished")]
    assert statuses == ["completed"] * CALLS + ["cancelled"]
    assert sorted(file.name for file in workspace.iterdir()) == [f"made-{n}" for n in range(CALLS)]
    assert len(claude.requests) == 3
    await goes_on(door, claude, session_id)


async def test_calls_when_they_are_exactly_used_up_then_the_model_may_still_answer(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    calls = [block for number in range(CALLS) for block in write(number, index=number)]
    claude.script(Reply(calls, stop_reason="tool_use"), Reply(text("All written.")))
    events = await door.ran(session_id, "write")
    assert events[-1]["status"] == "completed"
    assert len(list(workspace.iterdir())) == CALLS


async def test_calls_when_refused_ones_go_on_for_ever_then_they_count_too(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    for turn in range(LOOPS // 4):
        calls = [
            block
            for each in range(4)
            for block in tool_use("Nothing", "{}", id=f"toolu_{4 * turn + each}", index=each)
        ]
        claude.script(Reply(calls, stop_reason="tool_use"))
    events = await door.ran(session_id, "loop")
    await ended_by(door, session_id, events, "limit.tool_calls")
    statuses = [event["status"] for event in of_kind(events, "tool.finished")]
    assert statuses == ["refused"] * CALLS + ["cancelled"] * 4


async def test_output_when_results_are_large_then_nothing_more_is_done(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    print_much = f"head -c {OUTPUT_BYTES // 3} /dev/zero | tr '\\0' x"
    claude.script(*(calling(bash(print_much, number)) for number in range(LOOPS)))
    events = await door.ran(session_id, "print")
    await ended_by(door, session_id, events, "limit.output")
    assert len(claude.requests) == len(of_kind(events, "tool.started")) == 3
    await goes_on(door, claude, session_id)


async def test_time_when_it_is_over_in_an_answer_then_the_text_so_far_is_kept(
    hasty: Door, claude: Upstream
) -> None:
    session_id = await hasty.session()
    pieces = [f"{number} " for number in range(1_000)]
    claude.script(Reply(text(*pieces), interval_s=0.1))
    events = await hasty.ran(session_id, "count")
    await ended_by(hasty, session_id, events, "limit.time")
    kept = of_kind(events, "message.interrupted")
    assert [event["reason"] for event in kept] == ["stopped"]
    (told,) = texts(events).values()
    assert "".join(pieces).startswith(told)
    assert told
    assert kept[0]["blocks"][0]["length"] == len(told)
    claude.forget()
    after = await hasty.ran(session_id, "go on")
    assert after[-1]["status"] == "completed"
    remembered = claude.requests[-1].body["messages"]
    assert [message["role"] for message in remembered] == ["user", "assistant", "user"]
    assert remembered[1]["content"] == [{"type": "text", "text": told}]


@ONE_DATABASE
async def test_time_when_it_is_over_in_a_command_then_it_is_killed_and_nothing_follows(
    hasty: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await hasty.session(workspace, permission_mode="bypass")
    endless = [*bash("echo begun; sleep 300", 1), *write(2, index=1)]
    claude.script(Reply(endless, stop_reason="tool_use"), calling(write(3)))
    events = await hasty.ran(session_id, "sleep")
    await ended_by(hasty, session_id, events, "limit.time")
    killed, never = of_kind(events, "tool.finished")
    assert (killed["status"], killed["details"]["reason"]) == ("failed", "timeout")
    assert killed["content"].startswith("begun\n")
    assert never["status"] == "cancelled"
    assert list(workspace.iterdir()) == []
    assert len(claude.requests) == 1
    await goes_on(hasty, claude, session_id)


@ONE_DATABASE
async def test_time_when_people_take_longer_than_it_then_their_answer_still_counts(
    hasty: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await hasty.session(workspace, permission_mode="default")
    claude.script(calling(bash("echo made > file", 1)), Reply(text("Done.")))
    run_id = await hasty.say(session_id, "make it")
    await hasty.until(session_id, "run.paused")
    await asyncio.sleep(SECONDS + 0.5)
    await hasty.approve(session_id)
    events = await hasty.over(session_id, run_id)
    assert events[-1]["status"] == "completed"
    assert (workspace / "file").read_text() == "made\n"


async def test_retry_when_the_last_turn_fails_once_then_it_is_taken_again_all_the_same(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    claude.script(*(calling(write(number)) for number in range(TURNS - 1)))
    claude.script(Reply(text("Nearly "), end="cut"), Reply(text("there.")))
    events = await door.ran(session_id, "work")
    assert events[-1]["status"] == "completed"
    assert events[-1]["turns"] == TURNS
    assert list(texts(events).values())[-2:] == ["Nearly ", "there."]
