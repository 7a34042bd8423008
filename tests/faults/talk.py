"""One project of one server: its sessions, and what is said in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faults.model import plan
from faults.port import Port
from support.client import ask

Json = dict[str, Any]


async def make_project(port: Port, name: str, workspace: Path) -> str:
    """A project over an existing directory; the server must be there."""
    url, body = f"{port.base_url}/v1/projects", {"name": name, "path": str(workspace)}
    made = await ask(port.http, "POST", url, headers=port.headers, json=body)
    assert made.status == 201, await made.text()
    return (await made.json())["id"]


class Talk:
    """What one person does, each thing until it is acknowledged.

    Attributes:
        runs: By session.
    """

    def __init__(self, port: Port, workspace: Path) -> None:
        self.runs: dict[str, list[str]] = {}
        self._port = port
        self._workspace = workspace
        self._project = ""

    async def session(self, *, mode: str = "bypass") -> str:
        """A new session in the project."""
        port = self._port
        if not self._project:
            self._project = await make_project(port, "talk", self._workspace)
        name = f"session-{port.recorder.number()}"
        asked = {"name": name, "project_id": self._project, "permission_mode": mode}
        _, made = await port.insist("start", name, "/v1/sessions", asked, key=name)
        self.runs[made["id"]] = []
        return made["id"]

    async def say(self, session_id: str, turns: Sequence[Json]) -> str:
        """A message; the run that answers it."""
        name = f"message-{self._port.recorder.number()}"
        words = plan(name, list(turns))
        path = f"/v1/sessions/{session_id}/messages"
        body = {"content": words, "client_message_id": name}
        told = {"session_id": session_id, "text": words}
        _, said = await self._port.insist("say", name, path, body, **told)
        self.runs[session_id].append(said["run_id"])
        return said["run_id"]

    async def decide(self, approval_id: str, **answer: str) -> Json:
        """Answers a question of the agent; what became of it."""
        path = f"/v1/approvals/{approval_id}"
        return (await self._port.insist("answer", approval_id, path, answer))[1]
