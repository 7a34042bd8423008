"""The demo model: it plays its transcripts, and only the tools do and say real things."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homeport.cli.demo.stage import FILES
from homeport.providers import (
    BlockDelta,
    Completed,
    ModelRequest,
    UnknownModel,
    Usage,
    UsageSeen,
    to_wire,
)
from homeport.providers.demo import DemoProvider
from homeport.providers.demo.transcript import Transcript, fill, transcripts
from support.conversation import ask, collect, completed, streamed

NAMES = ("Read", "Write", "Edit", "Glob", "Grep", "Bash")
TOOLS: list[dict[str, Any]] = [{"name": name, "input_schema": {}} for name in NAMES]
NO_SHELL = [tool for tool in TOOLS if tool["name"] != "Bash"]


async def answer(request: ModelRequest) -> Completed:
    events = await collect(DemoProvider(pace=0).stream(request))
    last = completed(events)
    assert streamed(events) == [(str(b["type"]), str(b["text"])) for b in last.blocks]
    return last


def calls(last: Completed) -> list[tuple[str, dict[str, Any]]]:
    wire = [to_wire(block) for block in last.blocks]
    return [(b["name"], b["input"]) for b in wire if b["type"] == "tool_use"]


def prose(last: Completed) -> str:
    return "".join(str(b["text"]) for b in last.blocks if b["type"] == "text")


Act = Callable[[str, dict[str, Any]], str]


def done(_name: str, _given: dict[str, Any]) -> str:
    return "done"


def refused(_name: str, _given: dict[str, Any]) -> str:
    return "x\nrefused by Ann"


def two_lines(_name: str, _given: dict[str, Any]) -> str:
    return "one\ntwo\n"


async def play(opening: str, tools: list[dict[str, Any]], act: Act = done) -> list[Completed]:
    """Runs the agent loop to its end; `act` is the tools."""
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "an earlier message"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "an earlier answer"}]},
        {"role": "user", "content": [{"type": "text", "text": opening}]},
    ]
    turns: list[Completed] = []
    while not turns or turns[-1].stop_reason == "tool_use":
        assert len(turns) < 20, "the play does not end"
        turns.append(await answer(ModelRequest(model="demo", messages=messages, tools=tools)))
        wire = [to_wire(block) for block in turns[-1].blocks]
        messages.append({"role": "assistant", "content": wire})
        results: list[dict[str, Any]] = [
            {
                "type": "tool_result",
                "tool_use_id": block["id"],
                "content": [{"type": "text", "text": act(block["name"], block["input"])}],
            }
            for block in wire
            if block["type"] == "tool_use"
        ]
        messages.append({"role": "user", "content": results})
    return turns


async def test_fixing_the_test_fixes_the_project_that_the_demo_makes(tmp_path: Path) -> None:
    for file_name, content in FILES.items():
        (tmp_path / file_name).write_text(content, encoding="utf-8")
    said: dict[str, list[str]] = {"Bash": []}

    def act(name: str, given: dict[str, Any]) -> str:
        if name == "Edit":
            path = tmp_path / given["file_path"]
            before = path.read_text(encoding="utf-8")
            assert before.count(given["old_string"]) == 1
            path.write_text(before.replace(given["old_string"], given["new_string"]), "utf-8")
        if name == "Bash":
            assert given == {"command": "python3 -m unittest"}
            argv = [sys.executable, "-B", "-m", "unittest"]
            ran = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
            said["Bash"].append(ran.stderr)
            return ran.stderr
        if name == "Read":
            assert (tmp_path / given["file_path"]).is_file()
        return "done"

    turns = await play("Fix the failing test, please", TOOLS, act)
    assert [name for turn in turns for name, _ in calls(turn)] == [
        "Glob", "Grep", "Read", "Read", "Bash", "Edit", "Bash",
    ]  # fmt: skip
    before, after = (text.strip().splitlines()[-1] for text in said["Bash"])
    assert (before, after) == ("FAILED (errors=1)", "OK")
    assert f"`{before}`" in prose(turns[-1])
    assert f"`{after}`" in prose(turns[-1])
    assert turns[0].blocks[0]["type"] == "thinking"


async def test_fixing_the_test_without_a_shell_says_that_nothing_was_run() -> None:
    turns = await play("fix the failing test", NO_SHELL)
    assert "Bash" not in {name for turn in turns for name, _ in calls(turn)}
    assert "commands are refused" in prose(turns[-1])


async def test_what_a_transcript_says_of_a_tool_came_from_the_tool() -> None:
    turns = await play("fix the failing test", TOOLS, refused)
    assert "the second one with `refused by Ann`" in prose(turns[-1])


@pytest.mark.parametrize(
    ("opening", "call"),
    [
        ("run: echo '{{x}}' && ls -la", ("Bash", {"command": "echo '{{x}}' && ls -la"})),
        ("RUN:true", ("Bash", {"command": "true"})),
        ("read: src/A b.py", ("Read", {"file_path": "src/A b.py"})),
        (
            "write a file for me",
            ("Write", {"file_path": "hello.txt", "content": "Hello from Homeport 👋\n"}),
        ),
    ],
)
async def test_one_call_is_made_exactly_as_asked_and_then_one_sentence(
    opening: str, call: tuple[str, dict[str, Any]]
) -> None:
    first, second = await play(opening, TOOLS, two_lines)
    assert calls(first) == [call]
    assert (first.stop_reason, second.stop_reason) == ("tool_use", "end_turn")
    assert "`one`" in prose(second) or "`two`" in prose(second)


@pytest.mark.parametrize("opening", ["run: ls", "read: a", "write a file"])
async def test_call_whose_tool_is_not_offered_is_not_made(opening: str) -> None:
    (only,) = await play(opening, [])
    assert calls(only) == []
    assert "no tool for them is offered" in prose(only)


async def test_story_is_long_and_leaves_the_basic_plane() -> None:
    last = await answer(ask("Tell me a long story!", model="demo"))
    assert len(prose(last)) > 2_000
    assert any(ord(character) > 0xFFFF for character in prose(last))


async def test_thinking_has_a_block_of_its_own_with_a_signature() -> None:
    last = await answer(ask("think about the sea", model="demo"))
    assert [block["type"] for block in last.blocks] == ["thinking", "text"]
    assert last.blocks[0]["signature"]
    assert "the sea" in prose(last)


@pytest.mark.parametrize("opening", ["hello", "", "please fix the failing test", "{{argument}}"])
async def test_anything_else_is_answered_by_one_sentence_about_itself(opening: str) -> None:
    said = prose(await answer(ask(opening, model="demo", tools=TOOLS)))
    assert said.count(".") == 1
    assert said.endswith(".")
    for transcript in transcripts():
        assert f'"{transcript.about}"' in said


async def test_fixing_without_any_tool_is_not_claimed() -> None:
    assert "demo model" in prose(await answer(ask("fix the failing test", model="demo")))


@pytest.mark.parametrize(("n", "i"), [(1, ""), (250, ""), (3, " i=0.5")])
async def test_perf_streams_that_many_deltas(n: int, i: str) -> None:
    events = await collect(DemoProvider(pace=0).stream(ask(f"PERF n={n}{i}", model="demo")))
    deltas = [event.text for event in events if isinstance(event, BlockDelta)]
    assert deltas == [f"delta {number} " for number in range(n)]


async def test_usage_is_the_transcripts_or_grows_with_the_text() -> None:
    scripted = await answer(ask("tell me a story", model="demo"))
    assert scripted.usage == Usage(input_tokens=388, output_tokens=702)
    short = await answer(ask("hello", model="demo"))
    longer = await answer(ask("hello", model="demo", system="x" * 400))
    assert longer.usage.input_tokens == short.usage.input_tokens + 100
    events = await collect(DemoProvider(pace=0).stream(ask("hello", model="demo")))
    assert isinstance(events[0], UsageSeen)


async def test_images_and_strange_messages_are_no_reason_to_fail() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "read: a.txt"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Read"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
    ]
    assert "``" in prose(await answer(ModelRequest(model="demo", messages=messages, tools=TOOLS)))
    image: dict[str, Any] = {"role": "user", "content": [{"type": "image", "source": {}}]}
    assert "demo model" in prose(await answer(ModelRequest(model="demo", messages=[image])))
    assert "demo model" in prose(await answer(ModelRequest(model="demo", messages=[])))


async def test_another_model_is_not_served() -> None:
    with pytest.raises(UnknownModel):
        await collect(DemoProvider(pace=0).stream(ask(model="claude-opus-5-5")))


def test_transcripts_hold_no_result_of_a_tool() -> None:
    """Prose may only show what a labelled call of the same transcript has answered."""
    for transcript in transcripts():
        labels = {
            f"{block.label}.{part}"
            for turn in transcript.turns
            for block in turn.blocks
            if block.type == "tool_use" and block.label
            for part in ("first_line", "last_line", "text")
        }
        unfilled = json.dumps(transcript.model_dump(mode="json"))
        known = dict.fromkeys(labels | {"argument"}, "")
        marked = fill(unfilled, {name: f"<{name}>" for name in known})
        assert marked.count("<") >= unfilled.count("{{"), transcript.about


def test_malformed_transcript_is_refused() -> None:
    with pytest.raises(ValueError, match="opens_with"):
        Transcript.model_validate({"about": "x", "turns": []})
