"""The projects routes behind a real socket. Tokens are names: proof is identity's matter."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
from fastapi import FastAPI

from homeport.eventlog import EventLog, Record
from homeport.eventlog.read import records_after
from homeport.identity.access import Caller, Callers
from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.http.openapi import describe
from homeport.kernel.http.provide import Services
from homeport.kernel.http.routes import routes_of
from homeport.projects.at_work import AtWork
from homeport.projects.members.router import router as members
from homeport.projects.places import Places
from homeport.projects.policy import Limits
from homeport.projects.router import router
from support.answer import Answer
from support.beside import beside
from support.people import Names


class Stops(AtWork):
    """Stands for the rooms above: what they were asked to stop, as (project, user or all)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    async def stop(self, project_id: str, *, actor: str, user_id: str | None = None) -> None:
        assert actor.startswith("user:")
        self.asked.append((project_id, user_id))


@dataclass(frozen=True, slots=True)
class Door:
    """The server, and a client that calls as whom it is told."""

    base_url: str
    http: aiohttp.ClientSession
    log: EventLog
    names: Names
    app: FastAPI
    stops: Stops

    async def person(self, name: str, *roles: str) -> Caller:
        """A new account."""
        return await self.names.add(self.log, name, *roles)

    async def call(
        self, name: str | None, method: str, path: str = "", json: object = None
    ) -> Answer:
        """Calls `/v1/projects<path>` as `name`."""
        headers = {"Authorization": f"Bearer {name}"} if name else {}
        async with self.http.request(
            method, f"{self.base_url}/v1/projects{path}", json=json, headers=headers
        ) as answer:
            return await Answer.of(answer)

    async def create(self, who: str, **members: object) -> dict[str, Any]:
        """A new project of `who`'s."""
        answer = await self.call(who, "POST", json={"name": "Harbour", **members})
        assert answer.status == 201, answer.json
        return cast("dict[str, Any]", answer.json)

    async def events(self, project_id: str) -> list[Record]:
        async with self.log.database.read() as session:
            return await records_after(session, f"project:{project_id}", 0, limit=1_000)


@asynccontextmanager
async def open_door(log: EventLog, places: Places, limits: Limits) -> AsyncGenerator[Door]:
    """Serves projects on a free loopback port until the block ends."""
    app, names, stops = FastAPI(routes=routes_of((router, members))), Names(), Stops()
    install_error_handlers(app)
    app.state.services = Services(
        {EventLog: log, Callers: names, Places: places, Limits: limits, AtWork: stops}
    )
    app.openapi = lambda: describe(app)
    dummy = aiohttp.DummyCookieJar()
    async with beside(app) as address, aiohttp.ClientSession(cookie_jar=dummy) as http:
        yield Door(address, http, log, names, app, stops)
