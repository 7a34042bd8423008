"""What a run makes of answers, and what it sends back: blocks verbatim, in order, cached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from homeport.providers import DEFAULT_MODEL
from runs.conftest import ONE_DATABASE
from runs.door import Door, Json, kinds, of_kind, texts
from support.upstream import Reply, Upstream, start_block, stop_block, text, thinking, tool_use

pytestmark = ONE_DATABASE


def messages(claude: Upstream, number: int) -> list[Json]:
    """The messages of a request, without the marks of the cache."""
    return [
        {**message, "content": [unmarked(block) for block in message["content"]]}
        for message in claude.requests[number].body["messages"]
    ]


def unmarked(block: Json) -> Json:
    return {name: value for name, value in block.items() if name != "cache_control"}


def marked(blocks: list[Json]) -> list[int]:
    """Where the marks of the cache stand, counted from the end."""
    return [index - len(blocks) for index, each in enumerate(blocks) if "cache_control" in each]


def call(name: str, number: int, *, index: int = 0, **arguments: Any) -> list[bytes]:
    raw = json.dumps(arguments)
    half = len(raw) // 2
    return tool_use(name, raw[:half], raw[half:], id=f"toolu_{number}", index=index)


async def test_calls_when_an_answer_has_several_then_all_are_made_and_answered_in_order(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    (workspace / "a.txt").write_text("from a\n")
    (workspace / "b.txt").write_text("from b\n")
    session_id = await door.session(workspace, permission_mode="bypass")
    claude.script(
        Reply(
            [
                *text("I look.", index=0),
                *call("Read", 1, index=1, file_path="a.txt"),
                *call("Read", 2, index=2, file_path="b.txt"),
                *call("Write", 3, index=3, file_path="c.txt", content="from c\n"),
                *call("Read", 4, index=4, file_path="c.txt"),
            ],
            stop_reason="tool_use",
        ),
        Reply(text("Seen.")),
    )
    events = await door.ran(session_id, "look")
    ids = [f"toolu_{number}" for number in range(1, 5)]
    assert [each["call_id"] for each in of_kind(events, "tool.started")] == ids
    assert [each["call_id"] for each in of_kind(events, "tool.finished")] == ids
    user, assistant, results = messages(claude, 1)
    assert user == {"role": "user", "content": [{"type": "text", "text": "look"}]}
    assert [block["type"] for block in assistant["content"]] == ["text"] + ["tool_use"] * 4
    assert assistant["content"][3]["input"] == {"file_path": "c.txt", "content": "from c\n"}
    assert [block["tool_use_id"] for block in results["content"]] == ids
    for block, word in zip(
        results["content"], ["from a", "from b", "c.txt", "from c"], strict=True
    ):
        assert block["type"] == "tool_result"
        assert not block["is_error"]
        assert word in block["content"]


async def test_thinking_when_it_is_signed_then_it_goes_back_exactly_as_it_came(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    thought, signature = "First \u201ethis\u201c,\n then that \U0001f914.", "EqQBCgIYAhIM+/=="
    claude.script(
        Reply(
            [
                *thinking(thought[:5], thought[5:], signature=signature, index=0),
                start_block(1, type="redacted_thinking", data="c2VjcmV0"),
                stop_block(1),
                *call("Glob", 1, index=2, pattern="*"),
            ],
            stop_reason="tool_use",
        ),
        Reply([*thinking("", signature="c2Vjb25k", index=0), *text("Done.", index=1)]),
        Reply(text("Again.")),
    )
    events = await door.ran(session_id, "think")
    await door.ran(session_id, "go on")
    first: list[Json] = [
        {"type": "thinking", "thinking": thought, "signature": signature},
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "tool_use", "id": "toolu_1", "name": "Glob", "input": {"pattern": "*"}},
    ]
    second: list[Json] = [
        {"type": "thinking", "thinking": "", "signature": "c2Vjb25k"},
        {"type": "text", "text": "Done."},
    ]
    assert messages(claude, 1)[1] == {"role": "assistant", "content": first}
    assert messages(claude, 2)[1] == {"role": "assistant", "content": first}
    assert messages(claude, 2)[3] == {"role": "assistant", "content": second}
    types = [block["type"] for block in of_kind(events, "message.completed")[0]["blocks"]]
    assert types == ["thinking", "redacted_thinking", "tool_use"]


async def test_block_when_nobody_here_knows_its_type_then_it_goes_back_exactly_as_it_came(
    door: Door, claude: Upstream
) -> None:
    found = {
        "type": "web_search_result",
        "url": "https://example.org/",
        "encrypted_content": "eA==",
    }
    result: Json = {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [found],
    }
    session_id = await door.session()
    claude.script(
        Reply(
            [
                start_block(
                    0, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}
                ),
                stop_block(0),
                start_block(1, **result),
                stop_block(1),
                *text("Found.", index=2),
            ]
        )
    )
    events = await door.ran(session_id, "search")
    assert kinds(events)[-1] == "run.finished"
    assert of_kind(events, "tool.started") == []  # it is the provider's own
    await door.ran(session_id, "and?")
    searched: Json = {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {},
    }
    answer: list[Json] = [searched, result, {"type": "text", "text": "Found."}]
    assert messages(claude, 1)[1]["content"] == answer


async def test_cache_when_a_run_has_several_turns_then_each_request_goes_on_from_the_last(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    (workspace / "CLAUDE.md").write_text("Be brief.")
    session_id = await door.session(
        workspace, permission_mode="bypass", system_prompt="You are a pilot."
    )
    cached = {
        "input_tokens": 7,
        "cache_read_input_tokens": 500,
        "cache_creation_input_tokens": 40,
        "output_tokens": 1,
    }
    claude.script(
        *(Reply(call("Glob", n, pattern="*"), stop_reason="tool_use") for n in range(3)),
        Reply(text("Done."), usage=cached, output_tokens=9),
    )
    events = await door.ran(session_id, "look around")
    requests = [received.body for received in claude.requests]
    assert [body["model"] for body in requests] == [DEFAULT_MODEL] * 4
    for number, body in enumerate(requests):
        assert marked(body["tools"]) == [-1]
        assert marked(body["system"]) == [-1]
        users = [message for message in body["messages"] if message["role"] == "user"]
        assert [marked(message["content"]) for message in users[-2:]] == [[-1]] * len(users[-2:])
        marks = [m for message in body["messages"] for m in marked(message["content"])]
        assert len(marks) == min(number + 1, 2)
        if number:
            before = messages(claude, number - 1)
            assert messages(claude, number)[: len(before)] == before
            same = ("tools", "system", "model", "max_tokens", "metadata")
            assert [body[name] for name in same] == [requests[0][name] for name in same]
    done = of_kind(events, "message.completed")[-1]
    counts = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    assert [done[name] for name in counts] == [7, 500, 40, 9]
    assert [events[-1][name] for name in counts] == [37, 500, 40, 69]
    assert events[-1]["cost_usd"] == pytest.approx((37 * 4 + 500 * 0.2 + 40 * 5 + 69 * 20) / 1e6)
    assert [block["text"] for block in requests[0]["system"]][-1] == "You are a pilot."
    assert any("Be brief." in block["text"] for block in requests[0]["system"])


async def test_pause_when_the_provider_takes_a_break_then_it_is_asked_to_go_on(
    door: Door, claude: Upstream
) -> None:
    session_id = await door.session()
    claude.script(
        Reply(text("So far, "), stop_reason="pause_turn"),
        Reply(text("so good.")),
    )
    events = await door.ran(session_id, "go")
    assert list(texts(events).values()) == ["So far, ", "so good."]
    assert (events[-1]["status"], events[-1]["turns"]) == ("completed", 2)
    asked, half = messages(claude, 1)
    assert asked["role"] == "user"
    assert half == {"role": "assistant", "content": [{"type": "text", "text": "So far, "}]}


@pytest.mark.parametrize(
    ("stop_reason", "reason"),
    [
        ("end_turn", None),
        ("stop_sequence", None),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refusal"),
        ("of_the_future", None),
    ],
)
async def test_answer_when_it_ends_for_a_reason_then_the_run_is_over_and_says_so(
    door: Door, claude: Upstream, stop_reason: str, reason: str | None
) -> None:
    session_id = await door.session()
    claude.script(Reply(text("So much."), stop_reason=stop_reason))
    events = await door.ran(session_id, "go")
    assert of_kind(events, "message.completed")[0]["stop_reason"] == stop_reason
    assert (events[-1]["status"], events[-1].get("reason")) == ("completed", reason)
    assert len(claude.requests) == 1
    after = await door.ran(session_id, "and now?")
    assert after[-1]["status"] == "completed"
    remembered = [block["text"] for m in messages(claude, 1) for block in m["content"]]
    kept = ["go", "and now?"] if stop_reason == "refusal" else ["go", "So much.", "and now?"]
    assert remembered == kept


async def test_call_when_the_answer_is_refused_in_its_middle_then_it_is_not_made(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    claude.script(
        Reply(call("Write", 1, file_path="made", content="x"), stop_reason="refusal"),
    )
    events = await door.ran(session_id, "go")
    assert (events[-1]["status"], events[-1]["reason"]) == ("completed", "refusal")
    assert [each["status"] for each in of_kind(events, "tool.finished")] == ["cancelled"]
    assert list(workspace.iterdir()) == []
    assert (await door.ran(session_id, "and now?"))[-1]["status"] == "completed"


async def test_answer_when_it_says_nothing_then_the_run_is_over_and_the_session_goes_on(
    door: Door, claude: Upstream
) -> None:
    session_id = await door.session()
    claude.script(Reply([]))
    events = await door.ran(session_id, "go")
    assert events[-1]["status"] == "completed"
    assert of_kind(events, "message.completed")[0]["blocks"] == []
    assert (await door.ran(session_id, "and now?"))[-1]["status"] == "completed"
    assert [message["role"] for message in messages(claude, 1)] == ["user"]
