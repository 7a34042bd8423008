"""What a model calls wrongly, or in vain, is told to it as a result; the run and the session go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from runs.conftest import ONE_DATABASE
from runs.door import Door, Json, kinds, make_repository, of_kind, texts, whole
from support.boxes import processes_with
from support.upstream import Reply, Upstream, text, tool_use

pytestmark = ONE_DATABASE


def call(name: str, number: int = 0, /, **arguments: Any) -> list[bytes]:
    return tool_use(name, json.dumps(arguments), id=f"toolu_{number}", index=number)


def calling(*calls: list[bytes], stop_reason: str = "tool_use") -> Reply:
    """An answer that is these calls."""
    return Reply([block for each in calls for block in each], stop_reason=stop_reason)


async def results(door: Door, claude: Upstream, session_id: str, *steps: Reply) -> list[Json]:
    """How the calls of a run ended that comes to its own end; then the session goes on."""
    claude.script(*steps, Reply(text("I see.")))
    events = await door.ran(session_id, "go")
    assert events[-1]["status"] == "completed"
    assert list(texts(events).values())[-1] == "I see."
    ended = of_kind(events, "tool.finished")
    told = [
        block
        for message in claude.requests[-1].body["messages"]
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    assert [each["call_id"] for each in ended] == [block["tool_use_id"] for block in told]
    assert [each["content"] for each in ended] == [block["content"] for block in told]
    assert [each["is_error"] for each in ended] == [block["is_error"] for block in told]
    assert (await door.ran(session_id, "and now?"))[-1]["status"] == "completed"
    whole(await door.events(session_id))
    return ended


@pytest.mark.requirement("41")
async def test_call_when_the_path_is_outside_then_nothing_is_read_or_written_there(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    outside = workspace.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("hidden treasure")
    (workspace / "link").symlink_to(outside / "secret")
    (workspace / "folder").symlink_to(outside)
    (workspace / "dangling").symlink_to(outside / "made")
    session_id = await door.session(workspace, permission_mode="bypass")
    tries = [
        ("Read", {"file_path": "../outside/secret"}),
        ("Read", {"file_path": str(outside / "secret")}),
        ("Read", {"file_path": "link"}),
        ("Read", {"file_path": "folder/secret"}),
        ("Write", {"file_path": "../outside/made", "content": "x"}),
        ("Write", {"file_path": "dangling", "content": "x"}),
        ("Write", {"file_path": "folder/made", "content": "x"}),
        ("Edit", {"file_path": "link", "old_string": "hidden", "new_string": "found"}),
        ("Glob", {"pattern": "*", "path": "../outside"}),
        ("Grep", {"pattern": "treasure", "path": "folder"}),
    ]
    calls = [call(name, number, **arguments) for number, (name, arguments) in enumerate(tries)]
    ended = await results(door, claude, session_id, calling(*calls))
    assert [each["status"] for each in ended] == ["failed"] * len(tries)
    assert {each["details"]["code"] for each in ended} == {"files.outside-workspace"}
    assert "treasure" not in json.dumps(ended)
    assert [file.name for file in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "hidden treasure"


async def test_call_when_the_file_has_vanished_then_it_is_told_and_nothing_is_made(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    (workspace / "a.txt").write_text("here\n")
    session_id = await door.session(workspace, permission_mode="bypass")
    ended = await results(
        door,
        claude,
        session_id,
        calling(call("Read", 0, file_path="a.txt")),
        calling(
            call("Bash", 1, command="rm a.txt"),
            call("Edit", 2, file_path="a.txt", old_string="here", new_string="there"),
            call("Read", 3, file_path="a.txt"),
        ),
    )
    assert [each["status"] for each in ended] == ["completed", "completed", "failed", "failed"]
    assert [each["details"]["code"] for each in ended[2:]] == ["files.not-found"] * 2
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize(
    "raw",
    [
        '{"file_path": "made", "content": "x',
        '["made", "x"]',
        '"made"',
        "null",
        "{'file_path': 'made'}",
        '{"file_path": "made", "content": "x"} and more',
        '{"file_path":' * 5_000,
    ],
    ids=["torn", "array", "string", "null", "quotes", "tail", "deep"],
)
async def test_call_when_its_input_is_no_json_object_then_it_is_not_made(
    door: Door, claude: Upstream, workspace: Path, raw: str
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    half = len(raw) // 2
    broken = tool_use("Write", raw[:half], raw[half:], id="toolu_0")
    ended = await results(door, claude, session_id, calling(broken))
    assert [each["status"] for each in ended] == ["refused"]
    assert "JSON object" in ended[0]["content"]
    assert list(workspace.iterdir()) == []
    asked = claude.requests[1].body["messages"][1]["content"][0]
    assert (asked["type"], asked["input"]) == ("tool_use", {})


async def test_call_when_its_input_does_not_fit_the_schema_then_it_is_told_how(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    calls = [call("Write", 0, path="made"), call("Deploy", 1), call("Bash", 2, command=7)]
    ended = await results(door, claude, session_id, calling(*calls))
    assert [each["status"] for each in ended] == ["refused"] * 3
    for each, words in zip(ended, ["'file_path', 'content'", "'Deploy'", "string"], strict=True):
        assert words in each["content"]
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize("stop_reason", ["max_tokens", "model_context_window_exceeded"])
async def test_call_when_the_answer_is_cut_in_it_then_it_is_not_made_even_if_it_can_be_read(
    door: Door, claude: Upstream, workspace: Path, stop_reason: str
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    ended = await results(
        door,
        claude,
        session_id,
        calling(
            call("Write", 0, file_path="whole", content="whole"),
            # What is left out may be the most of it: a shorter file, a path without its end.
            call("Write", 1, file_path="cut", content="only the beg"),
            stop_reason=stop_reason,
        ),
    )
    assert [each["status"] for each in ended] == ["completed", "refused"]
    assert "length" in ended[1]["content"]
    assert [file.name for file in workspace.iterdir()] == ["whole"]


@pytest.mark.requirement("F29")
async def test_call_when_the_command_never_ends_then_all_of_it_is_killed_and_the_model_is_told(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace, permission_mode="bypass")
    marker = "86413.25"
    endless = (
        f"trap '' TERM; (setsid sleep {marker} &) ; sleep {marker} & echo begun; "
        f"while :; do sleep {marker}; done"
    )
    ended = await results(
        door, claude, session_id, calling(call("Bash", 0, command=endless, timeout=1))
    )
    assert [each["status"] for each in ended] == ["failed"]
    assert ended[0]["details"]["reason"] == "timeout"
    assert ended[0]["content"].startswith("begun\n")
    assert "time limit" in ended[0]["content"]
    assert processes_with(marker) == []


async def test_run_when_the_workspace_was_deleted_then_it_fails_and_goes_on_once_it_is_back(
    door: Door, claude: Upstream, workspace: Path
) -> None:
    session_id = await door.session(workspace)
    workspace.rmdir()
    events = await door.ran(session_id, "hello")
    assert kinds(events)[-1] == "run.finished"
    assert (events[-1]["status"], events[-1]["reason"]) == ("failed", "project.volume-elsewhere")
    assert str(workspace) not in json.dumps(events)
    assert claude.requests == []
    workspace.mkdir()
    claude.script(Reply(text("Here.")))
    events = await door.ran(session_id, "again")
    assert events[-1]["status"] == "completed"
    assert list(texts(events).values()) == ["Here."]
    assert len(of_kind(whole(await door.events(session_id)), "message.submitted")) == 2


@pytest.mark.parametrize("git", [False, True], ids=["plain", "git"])
async def test_run_when_the_workspace_is_deleted_under_it_then_each_call_says_so_and_it_ends(
    door: Door, claude: Upstream, tmp_path: Path, git: bool
) -> None:
    folder = tmp_path / "code"
    if git:
        make_repository(folder, {"a.txt": "here\n"})
    else:
        folder.mkdir()
    session_id = await door.session(folder, permission_mode="bypass")
    claude.script(
        calling(call("Write", 0, file_path="b.txt", content="x")),
        # Slowly enough for the directory to be gone before its calls are made.
        Reply(
            [
                *text(*"I look.", index=0),
                *call("Read", 1, file_path="b.txt"),
                *call("Write", 2, file_path="c.txt", content="x"),
                *call("Bash", 3, command="pwd"),
                *call("Glob", 4, pattern="*"),
            ],
            stop_reason="tool_use",
            interval_s=0.1,
        ),
        Reply(text("It is gone.")),
    )
    run_id = await door.say(session_id, "go")
    await door.until(session_id, "turn.started", count=2)
    shutil.rmtree(folder)
    events = await door.over(session_id, run_id)
    assert (events[-1]["status"], list(texts(events).values())[-1]) == ("completed", "It is gone.")
    ended = of_kind(events, "tool.finished")
    assert [each["status"] for each in ended] == ["completed"] + ["failed"] * 4
    codes = {each["details"]["code"] for each in ended[1:]}
    assert codes <= {"project.volume-elsewhere", "sandbox.workspace-missing"}
    assert not folder.exists()
    folder.mkdir()
    assert (await door.ran(session_id, "and now?"))[-1]["status"] == "completed"
    whole(await door.events(session_id))
