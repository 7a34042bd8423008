"""A real server whose model calls exactly the tools that its message names, in order."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from support import upstream
from support.canaries.planted import PROVIDER_KEY
from support.client import ask
from support.server import Server

PATIENCE_S = 60


@contextmanager
def started(folder: Path) -> Generator[Server]:
    """A server, and beside it the model that obeys."""
    command = [sys.executable, upstream.__file__, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as model:
        try:
            assert model.stdout is not None
            settings = {
                "ANTHROPIC_API_KEY": PROVIDER_KEY,
                "ANTHROPIC_BASE_URL": model.stdout.readline().strip(),
                "ALLOW_BYPASS": "true",
            }
            with Server(folder, **settings) as server:
                yield server
        finally:
            model.kill()


def tool(name: str, **arguments: Any) -> str:
    """The words that make the model call a tool."""
    return f"TOOL {name} {json.dumps(arguments)}"


@dataclass(frozen=True, slots=True)
class Agent:
    """One project and one session of a server's admin."""

    http: aiohttp.ClientSession
    server: Server
    root: Path
    session_id: str

    @classmethod
    async def open(
        cls, http: aiohttp.ClientSession, server: Server, root: Path, *, mode: str
    ) -> Agent:
        """A new project on `root`, with a session in it."""
        opened = cls(http, server, root, "")
        project = await opened.call("POST", "/projects", {"name": root.name, "path": str(root)})
        body = {"project_id": project["id"], "permission_mode": mode}
        session = await opened.call("POST", "/sessions", body)
        return cls(http, server, root, session["id"])

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """What `/v1<path>` answers, which has to be a success."""
        url = f"{self.server.base_url}/v1{path}"
        answer = await ask(self.http, method, url, headers=self.server.admin, json=body)
        assert answer.status < 300, await answer.text()
        return await answer.json()

    async def say(self, *words: str) -> str:
        """Submits a message; returns its run."""
        body = {"content": "\n".join(words)}
        return (await self.call("POST", f"/sessions/{self.session_id}/messages", body))["run_id"]

    async def events(self, run_id: str) -> list[dict[str, Any]]:
        """What the log holds of a run, in order."""
        found: list[dict[str, Any]] = []
        after = "0"
        while True:
            path = f"/sessions/{self.session_id}/events?after={after}&limit=1000"
            page = await self.call("GET", path)
            if not page["events"]:
                return found
            found += [event for event in page["events"] if event.get("run_id") == run_id]
            after = page["cursor"]

    async def until(self, run_id: str, *kinds: str) -> list[dict[str, Any]]:
        """A run's events, once one of these is among them."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                events = await self.events(run_id)
                if any(event["kind"] in kinds for event in events):
                    return events
                await asyncio.sleep(0.05)

    async def results(self, *words: str) -> list[dict[str, Any]]:
        """The results of every call that a message makes."""
        events = await self.until(await self.say(*words), "run.finished")
        return [event for event in events if event["kind"] == "tool.finished"]

    async def answer(self, run_id: str, **members: Any) -> None:
        """Answers the one question of a run."""
        questions = (await self.call("GET", "/approvals?status=requested"))["approvals"]
        [question] = [each for each in questions if each["run_id"] == run_id]
        await self.call("POST", f"/approvals/{question['id']}", members)

    def grants(self, run_id: str) -> int:
        """How many approvals are kept for the rest of a run."""
        with closing(sqlite3.connect(self.server.data_dir / "homeport.db")) as database:
            query = "SELECT count(*) FROM tool_grants WHERE run_id = ?"
            return database.execute(query, (run_id,)).fetchone()[0]
