"""The public API of one server, as its admin uses it, and what a run leaves in the log."""

from __future__ import annotations

import asyncio
import io
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from support.client import ask
from support.server import Server

Json = dict[str, Any]
PATIENCE_S = 60.0
WAIT_S = 20
LIVE = ("message.delta", "block.started", "message.reset")


@dataclass
class Door:
    """The public API of one server, as its admin.

    Attributes:
        headers: Who calls, if it is not the admin.
        made: The sessions that were started through it.
    """

    http: aiohttp.ClientSession
    server: Server
    headers: dict[str, str] | None = None
    made: list[str] = field(default_factory=list[str])

    async def call(self, method: str, path: str, body: object = None) -> aiohttp.ClientResponse:
        """The answer, whatever it says."""
        url, headers = self.server.base_url + path, dict(self.headers or self.server.admin)
        data = None
        if body is not None:
            # A stream: aiohttp warns of large bytes.
            data, headers["Content-Type"] = io.BytesIO(orjson.dumps(body)), "application/json"
        return await ask(self.http, method, url, headers=headers, data=data)

    async def get(self, path: str) -> Json:
        return await self._done("GET", path)

    async def post(self, path: str, body: Json | None = None) -> Json:
        return await self._done("POST", path, body or {})

    async def refused(self, method: str, path: str, body: object, *, status: int) -> Json:
        """The error document of a call that must be refused, whole and consistent."""
        answer = await self.call(method, path, body)
        assert answer.status == status, await answer.text()
        assert answer.headers["content-type"] == "application/problem+json"
        document: Json = await answer.json()
        assert document["status"] == document["error"]["status"] == status
        assert document["type"] == f"urn:homeport:error:{document['error']['code']}"
        assert document["detail"] == document["error"]["message"] != ""
        assert document["request_id"] == answer.headers["x-request-id"]
        assert document["instance"] == path.partition("?")[0]
        if status == 503:
            assert int(answer.headers["retry-after"]) >= 1
        return document

    async def session(self, workspace: Path | None = None, **members: Any) -> str:
        """A new session, in a project over `workspace` if there is one."""
        if workspace is not None:
            project = {"name": workspace.name, "path": str(workspace)}
            members["project_id"] = (await self.post("/v1/projects", project))["id"]
        self.made.append((await self.post("/v1/sessions", members))["id"])
        return self.made[-1]

    async def say(self, session_id: str, text: str, **members: Any) -> str:
        """Says something and returns the run that answers it."""
        body = {"content": text, **members}
        return (await self.post(f"/v1/sessions/{session_id}/messages", body))["run_id"]

    async def ran(self, session_id: str, text: str) -> list[Json]:
        """Says something and returns the events of the run that answered it."""
        run_id = await self.say(session_id, text)
        return await self.over(session_id, run_id)

    async def over(self, session_id: str, run_id: str) -> list[Json]:
        """The events of a run that comes to its end."""

        def ends(event: Json) -> bool:
            return event["kind"] == "run.finished" and event["run_id"] == run_id

        return of_run(await self.until(session_id, ends), run_id)

    async def until(
        self, session_id: str, wanted: str | Callable[[Json], bool], *, count: int = 1
    ) -> list[Json]:
        """Everything on the stream, once `count` events of a kind, or as wanted, are among it."""

        def fits(event: Json) -> bool:
            return event["kind"] == wanted if isinstance(wanted, str) else wanted(event)

        events: list[Json] = []
        after = "0"
        async with asyncio.timeout(PATIENCE_S):
            while sum(map(fits, events)) < count:
                path = f"/v1/sessions/{session_id}/events?after={after}&limit=1000&wait={WAIT_S}"
                page = await self.get(path)
                events += page["events"]
                after = page["cursor"]
        return events

    async def events(self, session_id: str) -> list[Json]:
        """Everything on the stream now."""
        events: list[Json] = []
        after = "0"
        while True:
            page = await self.get(f"/v1/sessions/{session_id}/events?after={after}&limit=1000")
            if not page["events"]:
                return events
            events += page["events"]
            after = page["cursor"]

    async def approve(self, session_id: str, scope: str = "once") -> None:
        """Approves everything that the session's run asks."""
        await self.until(session_id, "run.paused")
        asked = (await self.get("/v1/approvals?status=requested"))["approvals"]
        for question in asked:
            if question["session_id"] == session_id:
                answer = {"decision": "approve", "scope": scope}
                await self.post(f"/v1/approvals/{question['id']}", answer)

    async def stop_all(self) -> None:
        """Ends whatever the sessions made here still do."""
        for session_id in self.made:
            answer = await self.call("POST", f"/v1/sessions/{session_id}/stop", {"queue": True})
            stopped: Json = await answer.json() if answer.status == 200 else {}
            for run_id in stopped.get("run_ids", ()):
                await self.over(session_id, run_id)

    async def _done(self, method: str, path: str, body: Json | None = None) -> Json:
        answer = await self.call(method, path, body)
        assert answer.status < 300, await answer.text()
        return await answer.json()


async def until_logged(door: Door, *events: str) -> None:
    """Waits until the server has logged one of `events`."""
    async with asyncio.timeout(PATIENCE_S):
        while not any(map(door.server.log_events, events)):
            await asyncio.sleep(0.05)


def kinds(events: list[Json]) -> list[str]:
    """The kinds of stored events."""
    return [event["kind"] for event in events if event["kind"] not in LIVE]


def of_kind(events: list[Json], kind: str) -> list[Json]:
    return [event for event in events if event["kind"] == kind]


def of_run(events: list[Json], run_id: str) -> list[Json]:
    """The run's events, with the text of its messages."""
    mine = {e["message_id"] for e in events if "message_id" in e and e.get("run_id") == run_id}
    return [e for e in events if e.get("run_id") == run_id or e.get("message_id") in mine]


def texts(events: list[Json]) -> dict[str, str]:
    """By message, in order, the text that readers were sent."""
    told: dict[str, str] = {}
    for event in events:
        if event["kind"] == "message.started":
            told[event["message_id"]] = ""
        elif event["kind"] == "message.delta":
            told[event["message_id"]] += event["text"]
        elif event["kind"] == "message.reset":
            told[event["message_id"]] = ""
    return told


def whole(events: list[Json]) -> list[Json]:
    """The events, once it is seen that none is missing: every `seq` of the stream, in order."""
    seqs = [int(e["cursor"].partition(".")[0]) for e in events if e["kind"] not in LIVE]
    assert seqs == list(range(1, len(seqs) + 1))
    return events


def make_repository(folder: Path, files: dict[str, str]) -> Path:
    """A git repository with one commit of `files`."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "Start"], check=True)
    return folder
