"""The sessions' routes behind a real socket, with a real dispatcher and a scripted agent."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import aiohttp
import orjson
import pytest
from fastapi import FastAPI
from starlette.middleware import Middleware

from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import Eraser, EventLog, Record, read
from homeport.identity.access import Caller, Callers
from homeport.identity.service import erase as identity_erase
from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.http.middleware import Bodies, Edge
from homeport.kernel.http.openapi import describe
from homeport.kernel.http.provide import Services
from homeport.kernel.http.routes import routes_of
from homeport.projects import erase as projects_erase
from homeport.projects.at_work import AtWork
from homeport.projects.places import Places
from homeport.projects.policy import Limits
from homeport.projects.router import router as projects
from homeport.providers.demo import DemoProvider
from homeport.providers.models import Models
from homeport.readers import history
from homeport.sessions.policy import SessionPolicy
from homeport.sessions.router import ROUTERS
from homeport.sessions.service.closing import Sessions
from homeport.sessions.service.delete import Deletion
from homeport.sessions.service.erase import blank
from homeport.sessions.service.erase_account import AccountErasure
from homeport.tools.registry import Registry
from sessions.agent import Agent
from support.answer import Answer
from support.beside import beside
from support.people import Names

PATIENCE_S = 20.0
ONE_DATABASE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
"""For what is refused before the database is asked."""
BODY_LIMIT = 1 << 20
"""Bytes of a JSON body: the default of the settings."""


@dataclass(frozen=True, slots=True)
class Door:
    """The server, what is behind it, and a client that calls as whom it is told."""

    base_url: str
    http: aiohttp.ClientSession
    log: EventLog
    names: Names
    agent: Agent
    dispatcher: Dispatcher
    app: FastAPI
    checkpoints: Path

    def erasure(self) -> AccountErasure:
        """As wiring makes it."""
        eraser = Eraser()
        eraser.on("session", blank)
        eraser.on("project", projects_erase.blank)
        eraser.on("account", identity_erase.blank)
        services: Services = self.app.state.services
        return AccountErasure(
            self.log,
            eraser,
            Deletion(self.log, self.dispatcher, eraser),
            at_work=services.get(AtWork),
            places=services.get(Places),
            checkpoints=self.checkpoints,
        )

    async def person(self, name: str) -> Caller:
        """A new account."""
        return await self.names.add(self.log, name)

    async def call(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        name: str | None = "ada",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Calls `/v1<path>` as `name`."""
        sent = {"Authorization": f"Bearer {name}"} if name else {}
        sent |= headers or {}
        data = None
        if json is not None:
            # A stream: aiohttp warns of large bytes.
            data, sent["Content-Type"] = io.BytesIO(orjson.dumps(json)), "application/json"
        async with self.http.request(
            method, f"{self.base_url}/v1{path}", data=data, headers=sent
        ) as answer:
            return await Answer.of(answer)

    async def get(self, path: str, *, name: str = "ada") -> Any:
        """What a GET answers, which has to be a 200."""
        answer = await self.call("GET", path, name=name)
        assert answer.status == 200, answer.json
        return answer.json

    async def post(self, path: str, json: object = None, *, name: str = "ada") -> Any:
        """What a POST answers, which has to be a success."""
        answer = await self.call("POST", path, json, name=name)
        assert answer.status in {200, 201, 202}, answer.json
        return answer.json

    async def session(self, **members: object) -> str:
        """A new session of ada's."""
        return cast("str", (await self.post("/sessions", members))["id"])

    async def say(self, session_id: str, text: str = "Ahoy", **members: object) -> dict[str, Any]:
        """Says something in a session of ada's."""
        body = {"content": text, **members}
        return cast("dict[str, Any]", await self.post(f"/sessions/{session_id}/messages", body))

    async def run(self, run_id: str) -> dict[str, Any]:
        """A run of ada's."""
        return cast("dict[str, Any]", await self.get(f"/runs/{run_id}"))

    async def until(self, run_id: str, status: str) -> dict[str, Any]:
        """The run, once it has that status."""

        async def has_it() -> bool:
            return (await self.run(run_id))["status"] == status

        await eventually(has_it)
        return await self.run(run_id)

    async def events(self, session_id: str) -> list[Record]:
        """Everything on a session's stream."""
        async with self.log.database.read() as session:
            return await read.records_after(session, f"session:{session_id}", 0, limit=1_000)

    async def kinds(self, session_id: str) -> list[str]:
        """The kinds of everything on a session's stream."""
        return [record.kind for record in await self.events(session_id)]


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Returns when `holds` says so; fails when it never does."""
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def open_door(
    log: EventLog, folder: Path, tools: Registry, *, idle_after: timedelta
) -> AsyncGenerator[Door]:
    """Serves sessions on a free loopback port until the block ends."""
    agent, names = Agent(log), Names()
    dispatcher = Dispatcher(log.database, node="n1:a", ttl=12.0, per_user=10, drive=agent.drive)
    limits = Middleware(Bodies, limit=BODY_LIMIT, larger={})
    app = FastAPI(
        routes=routes_of((*ROUTERS, history.router, projects)),
        middleware=[Middleware(Edge, https=False), limits],
    )
    install_error_handlers(app)
    app.openapi = lambda: describe(app)
    eraser = Eraser()
    eraser.on("session", blank)
    app.state.services = Services(
        {
            Eraser: eraser,
            Deletion: Deletion(log, dispatcher, eraser),
            EventLog: log,
            Callers: names,
            Places: Places(workspace_dir=folder / "made", roots=(folder / "code",)),
            Limits: Limits(),
            Models: Models([DemoProvider()]),
            Registry: tools,
            Dispatcher: dispatcher,
            AtWork: Sessions(log, dispatcher),
            SessionPolicy: SessionPolicy(idle_after=idle_after),
        }
    )
    await log.start()
    await dispatcher.start()
    try:
        async with beside(app) as address, aiohttp.ClientSession() as http:
            store = folder / "checkpoints"
            yield Door(address, http, log, names, agent, dispatcher, app, store)
    finally:
        await dispatcher.drain(0)
        await log.stop()
