"""The tools as a run uses them: through the public door of a real server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from homeport.sandbox import Rung
from homeport.tools.progress import CALL_CHARACTERS
from support.server import Server
from support.sse import heard
from support.toolbox import best_sandbox
from tools.agent import Agent, tool

needs_a_box = pytest.mark.skipif(
    best_sandbox().rung is Rung.UNAVAILABLE, reason="this machine has no sandbox"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty workspace."""
    folder = tmp_path.resolve() / "project"
    folder.mkdir()
    return folder


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["kind"] for event in events]


async def first_frame(agent: Agent, kind: str) -> dict[str, Any]:
    """The first frame of that kind on the session's stream, as soon as it comes."""
    url = f"{agent.server.base_url}/v1/sessions/{agent.session_id}/stream?after=0"
    async with agent.http.get(url, headers=agent.server.admin) as answer:
        async for frame in heard(answer):
            if frame.event == kind:
                return frame.data
    raise AssertionError(f"the stream ended without {kind}")


async def put(root: Path, name: str) -> None:
    """Gives a command that waits for `name` its sign."""
    await asyncio.to_thread((root / name).touch)


@needs_a_box
@pytest.mark.requirement("56")
async def test_approval_when_it_was_for_the_run_then_the_next_run_asks_again(
    http: aiohttp.ClientSession, obedient: Server, root: Path
) -> None:
    agent = await Agent.open(http, obedient, root, mode="default")
    call = tool("Bash", command="echo ran >> marks.txt")

    first = await agent.say(call, call)
    await agent.until(first, "run.paused")
    await agent.answer(first, decision="approve", scope="run")
    events = await agent.until(first, "run.finished")
    assert kinds(events).count("approval.requested") == 1
    assert (root / "marks.txt").read_text() == "ran\nran\n"
    assert agent.grants(first) == 0

    second = await agent.say(call)
    await agent.until(second, "run.paused")
    await agent.answer(second, decision="deny")
    await agent.until(second, "run.finished")
    assert (root / "marks.txt").read_text() == "ran\nran\n"


@needs_a_box
async def test_approval_when_the_run_is_stopped_while_it_asks_more_then_it_is_forgotten(
    http: aiohttp.ClientSession, obedient: Server, root: Path
) -> None:
    agent = await Agent.open(http, obedient, root, mode="default")

    run_id = await agent.say(tool("Bash", command="true"), tool("Bash", command="exit 0"))
    await agent.until(run_id, "run.paused")
    await agent.answer(run_id, decision="approve", scope="run")
    async with asyncio.timeout(60):
        while kinds(await agent.events(run_id)).count("run.paused") < 2:
            await asyncio.sleep(0.05)
    assert agent.grants(run_id) == 1
    await agent.call("POST", f"/runs/{run_id}/stop")
    await agent.until(run_id, "run.finished")

    assert agent.grants(run_id) == 0


async def test_plan_mode_when_a_tool_would_change_something_then_the_model_is_told_why_not(
    http: aiohttp.ClientSession, obedient: Server, root: Path
) -> None:
    agent = await Agent.open(http, obedient, root, mode="plan")
    [result] = await agent.results(tool("Write", file_path="a", content="x"))
    assert result["status"] == "denied"
    assert result["content"].startswith("Write changes files, and this session is in plan mode")
    assert not (root / "a").exists()


@needs_a_box
async def test_output_when_a_command_takes_long_then_it_is_seen_before_the_command_ends(
    http: aiohttp.ClientSession, obedient: Server, root: Path
) -> None:
    agent = await Agent.open(http, obedient, root, mode="bypass")
    command = "printf 'one \\342\\202'; until [ -e go ]; do sleep 0.1; done; printf '\\254 two'"
    run_id = await agent.say(tool("Bash", command=command))

    piece = await first_frame(agent, "tool.progressed")
    assert (piece["text"], piece["offset"], piece["last"]) == ("one ", 0, False)
    assert "tool.finished" not in kinds(await agent.events(run_id))
    await put(root, "go")
    events = await agent.until(run_id, "run.finished")

    [result] = [event for event in events if event["kind"] == "tool.finished"]
    assert result["content"] == "one € two"
    shown = [event["text"] for event in events if event["kind"] == "tool.progressed"]
    assert result["content"].startswith("".join(shown))


@needs_a_box
async def test_output_when_a_command_never_stops_writing_then_the_log_is_not_flooded(
    http: aiohttp.ClientSession, obedient: Server, root: Path
) -> None:
    agent = await Agent.open(http, obedient, root, mode="bypass")
    command = (
        "head -c 20000000 /dev/zero | tr '\\0' x; until [ -e go ]; do sleep 0.1; done; echo end"
    )
    run_id = await agent.say(tool("Bash", command=command))
    await agent.until(run_id, "tool.progressed")
    await put(root, "go")
    events = await agent.until(run_id, "run.finished")

    shown = [event for event in events if event["kind"] == "tool.progressed"]
    assert sum(len(event["text"]) for event in shown) <= CALL_CHARACTERS
    assert len(shown) < 10
    [result] = [event for event in events if event["kind"] == "tool.finished"]
    assert result["details"]["output_bytes"] == 20_000_000 + len("end\n")


@needs_a_box
async def test_output_when_its_run_is_stopped_then_nothing_of_it_comes_behind_the_end(
    http: aiohttp.ClientSession, obedient: Server, root: Path
) -> None:
    agent = await Agent.open(http, obedient, root, mode="bypass")
    run_id = await agent.say(tool("Bash", command="while :; do echo tick; sleep 0.01; done"))
    await agent.until(run_id, "tool.progressed")
    await agent.call("POST", f"/runs/{run_id}/stop")
    await agent.until(run_id, "run.finished")
    await asyncio.sleep(1)  # two pieces' time

    seen = kinds(await agent.events(run_id))
    assert seen[-2:] == ["tool.finished", "run.finished"]
    assert seen.count("tool.progressed") >= 1


async def test_write_when_a_person_changed_the_file_in_between_then_their_work_stays(
    http: aiohttp.ClientSession, obedient: Server, root: Path
) -> None:
    agent = await Agent.open(http, obedient, root, mode="bypass")
    file = root / "notes"
    write = tool("Write", file_path="notes", content="by the agent")

    [made] = await agent.results(write)
    assert made["status"] == "completed"
    file.write_text("by a person")
    [refused] = await agent.results(write)
    assert (refused["status"], refused["details"]["code"]) == ("failed", "files.changed")
    assert file.read_text() == "by a person"

    read, written = await agent.results(tool("Read", file_path="notes"), write)
    assert (read["status"], written["status"]) == ("completed", "completed")
    assert file.read_text() == "by the agent"
