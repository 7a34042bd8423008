"""People who use a server as if it never went away: they ask again until they are answered."""

from __future__ import annotations

import asyncio
import random
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from faults.follower import Follower
from faults.model import plan
from faults.port import Port
from faults.talk import make_project

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Manner:
    """How somebody works.

    Attributes:
        mode: Permission mode of the sessions; in `default` each command is asked about.
        git: Whether the workspace is a repository, which gets checkpoints.
        transports: Of the two readers of each session.
        messages: In one session; a model's memory is not to grow for ever.
        pieces: Of one answer, at most.
    """

    mode: str
    git: bool
    transports: tuple[str, str]
    messages: int = 8
    pieces: int = 25


MANNERS = (
    Manner("bypass", git=False, transports=("sse", "socket")),
    Manner("default", git=False, transports=("socket", "poll")),
    Manner("bypass", git=True, transports=("poll", "shared-socket")),
    Manner("default", git=True, transports=("shared-socket", "sse")),
)


class Person:
    """One person with one project, session after session, until told to end.

    Attributes:
        sessions: Those that were started.
    """

    def __init__(self, port: Port, manner: Manner, workspace: Path, *, name: str) -> None:
        self.sessions: list[str] = []
        self.ending = False
        self._port = port
        self._manner = manner
        self._workspace = workspace
        self._name = name
        self._chance = random.Random(port.chance.random())
        self._project = ""
        self._asked: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def settle(self) -> None:
        """Makes the project; the server must be there."""
        self._workspace.mkdir()
        if self._manner.git:
            subprocess.run(["git", "init", "-q", str(self._workspace)], check=True)
        self._project = await make_project(self._port, self._name, self._workspace)

    async def work(self) -> None:
        """Talks with the agent, one session after the other."""
        while not self.ending:
            await self._session()
        if self._tasks:
            await asyncio.gather(*self._tasks)

    async def _session(self) -> None:
        name = f"{self._name}-{len(self.sessions)}"
        body = {
            "name": name,
            "project_id": self._project,
            "permission_mode": self._manner.mode,
        }
        _, made = await self._port.insist("start", name, "/v1/sessions", body, key=name)
        session_id: str = made["id"]
        self.sessions.append(session_id)
        readers = [
            Follower(
                self._port,
                session_id,
                name=f"{name}/{number}",
                transport=transport,
                heard=self._heard,
                cuts=self._chance if number else None,
            )
            for number, transport in enumerate(self._manner.transports)
        ]
        try:
            await self._talk(session_id, readers, name)
        finally:
            for reader in readers:
                await reader.leave()

    async def _talk(self, session_id: str, readers: list[Follower], name: str) -> None:
        for number in range(self._manner.messages):
            runs = [await self._say(session_id, f"{name}-{number}")]
            if self._chance.random() < 0.2:  # one more, behind it
                runs.append(await self._say(session_id, f"{name}-{number}b"))
            for reader in readers:
                await reader.until(partial(reader.finished.issuperset, runs))
            if self.ending:
                break
        for reader in readers:
            await reader.until(partial(self._is_all, session_id, reader))

    async def _is_all(self, session_id: str, reader: Follower) -> bool:
        path = f"/v1/sessions/{session_id}/events?after={reader.cursor}"
        return not (await self._port.get(path))["events"]

    async def _say(self, session_id: str, name: str) -> str:
        chance, most = self._chance, self._manner.pieces
        turns: list[Json] = [
            {
                "pieces": chance.randint(3, most),
                "calls": chance.choice([1, 1, 2]),
                "long": chance.random() < 0.2,
            }
            for _ in range(chance.randint(0, 2))
        ]
        words = plan(name, [*turns, {"pieces": chance.randint(3, most)}])
        body = {"content": words, "client_message_id": name}
        told = {"session_id": session_id, "text": words}
        path = f"/v1/sessions/{session_id}/messages"
        key = name if chance.random() < 0.5 else None
        # A phone on a bad line sends twice, and the second may arrive first.
        tries = [
            self._port.insist("say", name, path, body, key=key, **told)
            for _ in range(1 + (chance.random() < 0.25))
        ]
        (_, answer), *_ = await asyncio.gather(*tries)
        if chance.random() < 0.1:
            self._begin(self._stop(answer["run_id"]))
        return answer["run_id"]

    async def _stop(self, run_id: str) -> None:
        await asyncio.sleep(self._chance.uniform(0, 0.5))
        await self._port.insist("stop", run_id, f"/v1/runs/{run_id}/stop", {})

    def _heard(self, frame: Json) -> None:
        self._port.ears.tell(frame["kind"])
        if frame["kind"] == "approval.requested" and frame["approval_id"] not in self._asked:
            self._asked.add(frame["approval_id"])
            for _ in range(2):  # on two devices
                self._begin(self._answer(frame["approval_id"]))

    async def _answer(self, approval_id: str) -> None:
        await asyncio.sleep(self._chance.uniform(0, 0.3))
        body = {"decision": "deny", "note": "No."}
        if self._chance.random() < 0.75:
            body = {"decision": "approve", "scope": "once"}
        await self._port.insist("answer", approval_id, f"/v1/approvals/{approval_id}", body)

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
