"""A model that fails, hangs or breaks off: what came is kept, and it is asked again where it helps.

Half of an answer is never acted upon: its calls are made when the whole of it has arrived.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runs.conftest import ONE_DATABASE
from runs.door import Door, Json, kinds, of_kind, texts, whole
from support.upstream import Fail, Hang, Reply, Step, Upstream, event, text, tool_use

AT_ONCE = {"retry-after": "0"}
ATTEMPTS = 5
FIRST_BACKOFF_MS = range(500, 2_001)

pytestmark = [ONE_DATABASE, pytest.mark.requirement("F11", "F12")]


def bodies(claude: Upstream) -> list[Json]:
    return [received.body for received in claude.requests]


async def answered(door: Door, claude: Upstream, *steps: Step) -> list[Json]:
    """The events of a run over `steps`; it asks with the same words each time, and completes."""
    session_id = await door.session()
    claude.script(*steps)
    events = await door.ran(session_id, "hello")
    assert events[-1]["status"] == "completed"
    assert len(claude.requests) == len(steps)
    assert bodies(claude) == [bodies(claude)[0]] * len(steps)
    retried = of_kind(events, "turn.retried")
    assert [each["attempt"] for each in retried] == list(range(1, len(steps)))
    assert len(of_kind(events, "turn.started")) == 1
    assert len(of_kind(events, "message.started")) == len(steps)
    assert len(of_kind(events, "message.interrupted")) == len(steps) - 1
    assert list(texts(events).values())[-1] == "Here I am."
    whole(await door.events(session_id))
    return events


async def test_answer_when_the_limit_says_when_to_come_back_then_it_is_asked_then(
    door: Door, claude: Upstream
) -> None:
    events = await answered(
        door, claude, Fail(429, headers={"retry-after": "1"}), Reply(text("Here ", "I am."))
    )
    (retried,) = of_kind(events, "turn.retried")
    assert retried["code"] == "provider.rate-limited"
    assert 1_000 <= retried["delay_ms"] <= 1_100
    (kept,) = of_kind(events, "message.interrupted")
    assert (kept["reason"], kept["blocks"]) == ("provider", [])


async def test_answer_when_the_provider_is_overloaded_then_it_is_asked_again_with_jitter(
    door: Door, claude: Upstream
) -> None:
    events = await answered(door, claude, Fail(529), Reply(text("Here ", "I am.")))
    (retried,) = of_kind(events, "turn.retried")
    assert retried["code"] == "provider.overloaded"
    assert retried["delay_ms"] in FIRST_BACKOFF_MS


async def test_answer_when_the_provider_hangs_before_the_first_byte_then_it_is_given_up(
    door: Door, claude: Upstream
) -> None:
    events = await answered(door, claude, Hang(), Reply(text("Here ", "I am.")))
    assert [each["code"] for each in of_kind(events, "turn.retried")] == ["provider.timeout"]
    assert claude.cancelled == 1


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (Reply(text("Half a wo")[:-1], end="cut"), "provider.interrupted"),
        (Reply(text("Half a wo")[:-1], end="close"), "provider.interrupted"),
        (Reply(text("Half a wo")[:-1], end="hang"), "provider.timeout"),
        (
            Reply(
                [*text("Half a wo")[:-1], event("error", error={"type": "overloaded_error"})],
                end="close",
            ),
            "provider.overloaded",
        ),
        (Reply([*text("Half a wo")[:-1], b"data: no json\n\n"]), "provider.interrupted"),
    ],
    ids=["cut", "closed", "silent", "error", "nonsense"],
)
async def test_answer_when_it_breaks_off_then_what_came_is_kept_and_it_is_asked_again(
    door: Door, claude: Upstream, broken: Reply, code: str
) -> None:
    events = await answered(door, claude, broken, Reply(text("Here ", "I am.")))
    assert [each["code"] for each in of_kind(events, "turn.retried")] == [code]
    (kept,) = of_kind(events, "message.interrupted")
    assert kept["reason"] == "provider"
    assert [block["length"] for block in kept["blocks"]] == [len("Half a wo")]
    assert (kept["input_tokens"], kept["output_tokens"]) == (10, 1)
    assert texts(events)[kept["message_id"]] == "Half a wo"
    end = events[-1]
    assert (end["input_tokens"], end["output_tokens"]) == (20, 21)


async def test_memory_when_an_attempt_broke_off_then_only_the_whole_answer_is_remembered(
    door: Door, claude: Upstream
) -> None:
    session_id = await door.session()
    claude.script(Reply(text("Half a wo")[:-1], end="cut"), Reply(text("Whole.")))
    await door.ran(session_id, "hello")
    await door.ran(session_id, "and then?")
    told = [
        (message["role"], [block["text"] for block in message["content"]])
        for message in claude.requests[-1].body["messages"]
    ]
    assert told == [("user", ["hello"]), ("assistant", ["Whole."]), ("user", ["and then?"])]


async def test_answer_when_it_arrives_byte_by_byte_then_no_character_is_broken(
    door: Door, claude: Upstream
) -> None:
    said = "\u4e2d\U0001f468\u200d\U0001f469 e\u0301"
    session_id = await door.session()
    claude.script(Reply(text(*said), cuts=(1,)))
    events = await door.ran(session_id, "hello")
    assert list(texts(events).values()) == [said]


async def test_call_when_its_answer_breaks_off_behind_it_then_it_is_made_once(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    command = json.dumps({"command": "echo once >> marks"})
    claude.script(
        Reply(tool_use("Bash", command, id="toolu_lost"), end="cut"),
        Reply(tool_use("Bash", command, id="toolu_kept"), stop_reason="tool_use"),
        Reply(text("Half a wo")[:-1], end="cut"),
        Reply(text("Done.")),
    )
    events = await door.ran(session_id, "mark it")
    assert events[-1]["status"] == "completed"
    assert [each["call_id"] for each in of_kind(events, "tool.started")] == ["toolu_kept"]
    assert (workspace / "marks").read_text() == "once\n"
    assert [each["turn"] for each in of_kind(events, "turn.retried")] == [1, 2]
    after_the_call = [body["messages"] for body in bodies(claude)[2:]]
    assert after_the_call[0] == after_the_call[1]
    results = [b for b in after_the_call[0][-1]["content"] if b["type"] == "tool_result"]
    assert [block["tool_use_id"] for block in results] == ["toolu_kept"]


async def test_run_when_the_provider_never_recovers_then_it_fails_and_the_session_goes_on(
    door: Door, claude: Upstream
) -> None:
    session_id = await door.session()
    claude.script(*[Fail(529, "Overloaded", headers=AT_ONCE)] * 20)
    events = await door.ran(session_id, "hello")
    end = events[-1]
    assert (end["status"], end["reason"]) == ("failed", "provider.overloaded")
    assert end["detail"] == "Overloaded"
    assert len(claude.requests) == len(of_kind(events, "message.interrupted")) == ATTEMPTS
    assert len(of_kind(events, "turn.retried")) == ATTEMPTS - 1
    claude.forget()
    assert (await door.ran(session_id, "again"))[-1]["status"] == "completed"
    roles = [message["role"] for message in claude.requests[-1].body["messages"]]
    assert roles == ["user"]  # both messages: nothing was answered in between


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Fail(401, "invalid x-api-key"), "provider.credentials"),
        (Fail(400, "messages: too long"), "provider.refused"),
        (Fail(404, "model: claude-opus-5-5"), "model.not-found"),
        (Fail(429, "Slow down", headers={"retry-after": "86400"}), "provider.rate-limited"),
    ],
    ids=["key", "request", "model", "tomorrow"],
)
async def test_run_when_asking_again_cannot_help_then_it_fails_at_once(
    door: Door, claude: Upstream, failure: Fail, reason: str
) -> None:
    session_id = await door.session()
    claude.script(failure)
    events = await door.ran(session_id, "hello")
    assert (events[-1]["status"], events[-1]["reason"]) == ("failed", reason)
    assert kinds(events)[-2:] == ["message.interrupted", "run.finished"]
    assert of_kind(events, "message.interrupted")[0]["reason"] == "provider"
    assert len(claude.requests) == 1
    run = await door.get(f"/v1/runs/{events[-1]['run_id']}")
    assert (run["outcome"], run["reason"]) == ("failed", reason)
    assert (await door.ran(session_id, "again"))[-1]["status"] == "completed"
