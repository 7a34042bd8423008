"""The main job through the public door: a real server, a real repository, real commands."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.client import ask
from support.server import MakeServer, Server

CALCULATOR = '''"""A small calculator."""


def average(numbers: list[float]) -> float:
    """The mean of the numbers; 0.0 when there are none."""
    return sum(numbers) / len(numbers)
'''
TESTS = '''"""Tests of the calculator; run them with python3 -m unittest."""

import unittest

from calculator import average


class AverageTest(unittest.TestCase):
    def test_average_of_several_numbers(self):
        self.assertEqual(average([1, 2, 6]), 3)

    def test_average_of_nothing_is_zero(self):
        self.assertEqual(average([]), 0.0)


if __name__ == "__main__":
    unittest.main()
'''
PATIENCE_S = 60


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "calculator.py").write_text(CALCULATOR)
    (folder / "test_calculator.py").write_text(TESTS)
    (folder / ".gitignore").write_text("__pycache__/\n")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "Start"], check=True)
    return folder


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """No connection is kept: the servers of these tests are killed under their clients."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


class Door:
    """The public API of one server, as its admin."""

    def __init__(self, http: aiohttp.ClientSession, server: Server) -> None:
        self.http = http
        self.server = server

    async def get(self, path: str) -> dict[str, Any]:
        return await self._call("GET", path)

    async def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return await self._call("POST", path, body or {})

    async def session(self, repository: Path | None = None) -> str:
        body: dict[str, Any] = {}
        if repository is not None:
            project = {"name": "calculator", "path": str(repository)}
            body["project_id"] = (await self.post("/v1/projects", project))["id"]
        return (await self.post("/v1/sessions", body))["id"]

    async def events(self, session_id: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        after = "0"
        while True:
            page = await self.get(f"/v1/sessions/{session_id}/events?after={after}&limit=1000")
            if not page["events"]:
                return events
            events += page["events"]
            after = page["cursor"]

    async def until(self, session_id: str, kind: str) -> list[dict[str, Any]]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                events = await self.events(session_id)
                if any(event["kind"] == kind for event in events):
                    return events
                await asyncio.sleep(0.1)

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        answer = await ask(
            self.http, method, self.server.base_url + path, headers=self.server.admin, json=body
        )
        assert answer.status < 300, await answer.text()
        return await answer.json()


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["kind"] for event in events]


async def test_agent_when_asked_to_fix_a_test_then_it_asks_runs_edits_and_undo_puts_it_back(
    make_server: MakeServer, http: aiohttp.ClientSession, repository: Path
) -> None:
    door = Door(http, make_server(DEMO_PACE="0"))
    session_id = await door.session(repository)
    await door.post(f"/v1/sessions/{session_id}/messages", {"content": "fix the failing test"})
    await door.until(session_id, "run.paused")
    asked = (await door.get("/v1/approvals?status=requested"))["approvals"]
    assert [question["tool"] for question in asked] == ["Bash"]
    # A question survives the server that asked it.
    door.server.kill()
    door.server.restart()
    await door.post(f"/v1/approvals/{asked[0]['id']}", {"decision": "approve", "scope": "run"})
    events = await door.until(session_id, "run.finished")
    results = [e for e in events if e["kind"] == "tool.finished"]
    runs_of_tests = [e for e in results if e["tool"] == "Bash"]
    assert [e["is_error"] for e in runs_of_tests] == [True, False]
    assert (repository / "calculator.py").read_text() != CALCULATOR
    starts = [e["call_id"] for e in events if e["kind"] == "tool.started"]
    assert len(starts) == len(set(starts)) == len(results)
    run_id = (await door.get(f"/v1/sessions/{session_id}/runs"))["runs"][0]["id"]
    undone = await door.post(f"/v1/runs/{run_id}/undo")
    assert undone["restored"] == ["calculator.py"]
    assert (repository / "calculator.py").read_text() == CALCULATOR


async def test_run_when_the_server_is_killed_in_a_model_turn_then_it_goes_on_and_nothing_is_lost(
    make_server: MakeServer, http: aiohttp.ClientSession
) -> None:
    door = Door(http, make_server())
    session_id = await door.session()
    said = await door.post(f"/v1/sessions/{session_id}/messages", {"content": "PERF n=150 i=10"})
    await door.until(session_id, "message.delta")
    before = await door.events(session_id)
    stored = [event for event in before if event["kind"] not in {"message.delta", "block.started"}]
    door.server.kill()
    door.server.restart()
    after = await door.until(session_id, "run.finished")
    seqs = [int(event["cursor"].partition(".")[0]) for event in after]
    assert seqs == sorted(seqs)
    kept = [event for event in after if event["kind"] not in {"message.delta", "block.started"}]
    assert [e["kind"] for e in kept[: len(stored)]] == [e["kind"] for e in stored]
    assert "message.interrupted" in kinds(kept)
    assert kept[-1] | {"status": "completed", "run_id": said["run_id"]} == kept[-1]
    started = [event for event in kept if event["kind"] == "message.started"]
    text = "".join(
        event["text"]
        for event in after
        if event["kind"] == "message.delta" and event["message_id"] == started[-1]["message_id"]
    )
    assert text == "".join(f"delta {number} " for number in range(150))


async def test_run_when_stopped_in_a_tool_then_it_ends_and_the_call_is_not_made_again(
    make_server: MakeServer, http: aiohttp.ClientSession, repository: Path
) -> None:
    door = Door(http, make_server(DEMO_PACE="0"))
    session_id = await door.session(repository)
    await door.post(f"/v1/sessions/{session_id}/messages", {"content": "run: sleep 300"})
    await door.until(session_id, "run.paused")
    asked = (await door.get("/v1/approvals?status=requested"))["approvals"]
    await door.post(f"/v1/approvals/{asked[0]['id']}", {"decision": "approve"})
    await door.until(session_id, "tool.started")
    await door.post(f"/v1/sessions/{session_id}/stop")
    events = await door.until(session_id, "run.finished")
    ends = [(e["status"]) for e in events if e["kind"] in {"tool.finished", "run.finished"}]
    assert ends == ["cancelled", "stopped"]


async def test_call_when_the_server_is_killed_in_a_tool_then_it_is_unknown_and_not_repeated(
    make_server: MakeServer, http: aiohttp.ClientSession, repository: Path
) -> None:
    door = Door(http, make_server(DEMO_PACE="0"))
    session_id = await door.session(repository)
    command = "run: echo once >> marks.txt; sleep 300"
    await door.post(f"/v1/sessions/{session_id}/messages", {"content": command})
    await door.until(session_id, "run.paused")
    asked = (await door.get("/v1/approvals?status=requested"))["approvals"]
    await door.post(f"/v1/approvals/{asked[0]['id']}", {"decision": "approve"})
    async with asyncio.timeout(PATIENCE_S):
        while not (repository / "marks.txt").exists():
            await asyncio.sleep(0.05)
    door.server.kill()
    door.server.restart()
    events = await door.until(session_id, "run.finished")
    assert [e["status"] for e in events if e["kind"] == "tool.finished"] == ["unknown"]
    assert kinds(events).count("tool.started") == 1
    assert (repository / "marks.txt").read_text() == "once\n"
