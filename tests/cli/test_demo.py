"""`homeport demo`, as somebody runs it who has just installed it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from homeport.cli.demo.record import Record
from homeport.cli.demo.screen import Screen
from support.server import INHERITED
from support.upstream import Reply, text, tool_use, upstream

PATIENCE_S = 90
REPAIRED = "    return sum(numbers) / len(numbers) if numbers else 0.0\n"


def environment(folder: Path, **settings: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}  # noqa: TID251
    return {**inherited, "TMPDIR": str(folder), "COLUMNS": "100", **settings}


def command(*arguments: str) -> Sequence[str]:
    return (sys.executable, "-m", "homeport", "demo", "--pace", "0", *arguments)


def play(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs the demo to its end, with `folder` as the place for temporary files."""
    return subprocess.run(
        command(*arguments),
        check=False,
        env=environment(folder, **settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_demo_when_played_then_the_fix_the_cut_the_undo_and_the_bill_are_seen(
    tmp_path: Path,
) -> None:
    picture = tmp_path / "demo.svg"
    done = play(tmp_path, "--picture", str(picture))
    assert done.returncode == 0, done.stderr
    order = [
        "fix the failing test",
        "may I?  Bash: python3 -m unittest",
        "FAILED (errors=1)",
        "the line is cut at ",
        "back, with Last-Event-ID: ",
        f"+{REPAIRED.rstrip()}",
        "OK",
        "undone    calculator.py; git status: clean",
        "519 output",
        "workspace.restored",
        "are those of a reading without a cut",
    ]
    places = [done.stdout.find(line) for line in order]
    assert -1 not in places, [line for line, place in zip(order, places, strict=True) if place < 0]
    assert places == sorted(places)
    drawn = ET.parse(picture)
    shown = " ".join(drawn.getroot().itertext()).replace("\xa0", " ")
    assert "are those of a reading without a cut" in shown
    # Whoever opens the picture asks nobody for anything.
    source = picture.read_text()
    assert "@import" not in source
    assert "url(http" not in source
    assert list(tmp_path.glob("homeport-demo-*")) == []


def test_demo_when_commands_are_refused_then_it_says_so_and_exits_0(tmp_path: Path) -> None:
    # No Linux has Apple's sandbox: on this rung every command is refused.
    done = play(tmp_path, SANDBOX="seatbelt")
    assert done.returncode == 0, done.stderr
    assert "commands are refused" in done.stdout
    assert "nobody has run the tests" in done.stdout
    assert "may I?  Edit calculator.py" in done.stdout
    assert "Bash  " not in done.stdout


def test_demo_when_asked_for_json_then_one_object_tells_all_and_keep_leaves_the_folder(
    tmp_path: Path,
) -> None:
    report = told(play(tmp_path, "--json", "--keep"))
    assert report["status"] == "completed"
    assert report["cut_at"] is not None
    assert report["undone"] == ["calculator.py"]
    assert report["events"].count("approval.approved") == report["approvals"] == 1
    assert report["events"][-1] == "workspace.restored"
    assert report["usage"]["output_tokens"] == 519
    [kept] = tmp_path.glob("homeport-demo-*")
    assert (kept / "calculator" / ".git").is_dir()
    assert report["folder"] == str(kept)


async def test_demo_when_a_real_model_is_named_then_it_plays_the_same_over_the_wire(
    tmp_path: Path,
) -> None:
    edit = json.dumps(
        {
            "file_path": "calculator.py",
            "old_string": "    return sum(numbers) / len(numbers)\n",
            "new_string": REPAIRED,
        }
    )
    run = json.dumps({"command": "python3 -m unittest"})
    talk = "I found it: an empty list has no length to divide by, so I change that one line."
    async with upstream() as model:
        model.script(
            Reply(tool_use("Bash", run, id="toolu_1"), stop_reason="tool_use"),
            Reply(
                [*text(*talk.split(" ")), *tool_use("Edit", edit, id="toolu_2", index=1)],
                stop_reason="tool_use",
            ),
            Reply(text("It is repaired.")),
        )
        address = f"http://127.0.0.1:{model.port}"
        process = subprocess.Popen(
            command("--json", "--model", "claude-sonnet-4-5"),
            env=environment(tmp_path, ANTHROPIC_API_KEY="sk-test", ANTHROPIC_BASE_URL=address),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        out, err = await asyncio.to_thread(process.communicate, timeout=PATIENCE_S)
        assert process.returncode == 0, err
        keys = [request.headers["authorization"] for request in model.requests]
        assert keys == ["Bearer sk-test"] * 3
    report = json.loads(out)
    assert report["model"] == "claude-sonnet-4-5"
    assert report["undone"] == ["calculator.py"]
    assert report["usage"]["cost_usd"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "claude-sonnet-4-5"), "needs ANTHROPIC_API_KEY"),
        (("--picture", "/nowhere/at/all.svg"), "/nowhere/at/all.svg"),
    ],
)
def test_demo_when_it_cannot_be_played_then_it_says_why_before_it_begins(
    tmp_path: Path, arguments: Sequence[str], said: str
) -> None:
    done = play(tmp_path, *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "fix the failing test" not in done.stdout


def test_demo_when_terminated_then_its_server_and_its_folder_are_gone(tmp_path: Path) -> None:
    slow = (sys.executable, "-m", "homeport", "demo", "--pace", "20")
    process = subprocess.Popen(
        slow, env=environment(tmp_path), cwd=tmp_path, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    with process.stdout as lines:
        line = next(line for line in lines if "process " in line)
        server = int(line.partition("process ")[2].partition(",")[0])
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
    assert list(tmp_path.glob("homeport-demo-*")) == []


def test_screen_when_a_tool_answers_escape_sequences_then_the_terminal_does_not_obey() -> None:
    paper = io.StringIO()
    screen = Screen(Console(file=paper, width=80, force_terminal=True, color_system=None))
    evil = "\x1b]0;owned\x07\x1b[2Jgone\x9b31m"
    screen.output(evil)
    screen.line("Bash", evil)
    screen.diff(f"+{evil}")
    screen.begin("agent", style="")
    screen.say(evil)
    screen.end()
    assert paper.getvalue().count("gone") == 4
    assert not {"\x1b", "\x07", "\x9b"} & set(paper.getvalue())


def delta(cursor: str, offset: int, said: str) -> dict[str, Any]:
    return {
        "cursor": cursor,
        "kind": "message.delta",
        "message_id": "m",
        "block": 0,
        "offset": offset,
        "text": said,
    }


def test_record_when_text_is_missing_or_differs_then_it_says_where() -> None:
    gap, other = Record(), Record()
    for frame in (delta("1.0.2", 0, "ab"), delta("1.0.5", 3, "de")):
        gap.take(frame)
    for frame in (delta("1.0.2", 0, "ab"), delta("1.0.3", 2, "c"), delta("1.0.5", 3, "de")):
        other.take(frame)
    assert other.differences(other) == []
    assert gap.faults == ["text is missing before 1.0.5"]
    assert gap.differences(other) == [*gap.faults, "the text is not that of an unbroken reading"]
