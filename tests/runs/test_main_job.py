"""The main job through the public door: a real server, a real repository, real commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from homeport.cli.demo.stage import FILES
from runs.conftest import SharedServer
from runs.door import (
    LIVE,
    PATIENCE_S,
    Door,
    kinds,
    make_repository,
    of_kind,
    texts,
    whole,
)
from support.upstream import Upstream


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository", FILES)


@pytest.fixture
async def door(
    shared_server: SharedServer, dialect: str, claude: Upstream, http: aiohttp.ClientSession
) -> AsyncIterator[Door]:
    """A server that is killed and started again by these tests."""
    del claude
    opened = Door(http, shared_server(dialect, alone="killed"))
    yield opened
    await opened.stop_all()


async def test_agent_when_asked_to_fix_a_test_then_it_asks_runs_edits_and_undo_puts_it_back(
    door: Door, repository: Path
) -> None:
    session_id = await door.session(repository, model="demo")
    run_id = await door.say(session_id, "fix the failing test")
    await door.until(session_id, "run.paused")
    asked = (await door.get("/v1/approvals?status=requested"))["approvals"]
    assert [question["tool"] for question in asked] == ["Bash"]
    # A question survives the server that asked it.
    door.server.kill()
    door.server.restart()
    await door.approve(session_id, scope="run")
    events = await door.over(session_id, run_id)
    results = of_kind(events, "tool.finished")
    assert [e["is_error"] for e in results if e["tool"] == "Bash"] == [True, False]
    assert (repository / "calculator.py").read_text() != FILES["calculator.py"]
    starts = [e["call_id"] for e in of_kind(events, "tool.started")]
    assert len(starts) == len(set(starts)) == len(results)
    undone = await door.post(f"/v1/runs/{run_id}/undo")
    assert undone["restored"] == ["calculator.py"]
    assert (repository / "calculator.py").read_text() == FILES["calculator.py"]


@pytest.mark.requirement("F1")
async def test_run_when_the_server_is_killed_in_a_model_turn_then_it_goes_on_and_nothing_is_lost(
    door: Door,
) -> None:
    session_id = await door.session()
    run_id = await door.say(session_id, "PERF n=150 i=10")
    await door.until(session_id, "message.delta")
    before = [event for event in await door.events(session_id) if event["kind"] not in LIVE]
    door.server.kill()
    door.server.restart()
    events = await door.over(session_id, run_id)
    after = whole(await door.events(session_id))
    kept = [event for event in after if event["kind"] not in LIVE]
    assert [e["kind"] for e in kept[: len(before)]] == [e["kind"] for e in before]
    assert [e["reason"] for e in of_kind(kept, "message.interrupted")] == ["crashed"]
    assert events[-1]["status"] == "completed"
    broken, told = texts(events).values()
    assert told == "".join(f"delta {number} " for number in range(150))
    assert told.startswith(broken)


async def test_run_when_stopped_in_a_tool_then_it_ends_and_the_call_is_not_made_again(
    door: Door, repository: Path
) -> None:
    session_id = await door.session(repository, model="demo")
    run_id = await door.say(session_id, "run: sleep 300")
    await door.approve(session_id)
    await door.until(session_id, "tool.started")
    await door.post(f"/v1/sessions/{session_id}/stop")
    events = await door.over(session_id, run_id)
    ends = [e["status"] for e in events if e["kind"] in {"tool.finished", "run.finished"}]
    assert ends == ["cancelled", "stopped"]


@pytest.mark.requirement("F2")
async def test_call_when_the_server_is_killed_in_a_tool_then_it_is_unknown_and_not_repeated(
    door: Door, repository: Path
) -> None:
    session_id = await door.session(repository, model="demo")
    run_id = await door.say(session_id, "run: echo once >> marks.txt; sleep 300")
    await door.approve(session_id)
    async with asyncio.timeout(PATIENCE_S):
        while not (repository / "marks.txt").exists():
            await asyncio.sleep(0.05)
    door.server.kill()
    door.server.restart()
    events = await door.over(session_id, run_id)
    assert [e["status"] for e in of_kind(events, "tool.finished")] == ["unknown"]
    assert kinds(events).count("tool.started") == 1
    assert (repository / "marks.txt").read_text() == "once\n"
