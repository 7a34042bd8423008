"""Identity behind its real HTTP door: a uvicorn server in this process, on a real database."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.websockets import WebSocket

from homeport.eventlog import EventLog, Record
from homeport.eventlog.read import records_after
from homeport.identity.access import SignedIn
from homeport.identity.activity import Activity, ActivityFigures
from homeport.identity.opening import Identity
from homeport.identity.router import ROUTERS
from homeport.identity.work import Work
from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.http.middleware import Bodies, Edge
from homeport.kernel.http.provide import Services
from homeport.kernel.http.routes import routes_of
from support.answer import Answer
from support.beside import beside

PASSWORD = "crimson-otter-plays-9-flutes"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who registered."""

    id: str
    username: str
    email: str
    access: str
    refresh: str
    api_key: str


class Figures(Activity):
    """Stands for the rooms above: a known answer, so that a profile can be told from zeros."""

    async def of(self, user_id: str) -> ActivityFigures:
        usage = {"input_tokens": len(user_id)}
        return ActivityFigures(session_count=3, message_count=7, token_usage=usage)


class Rest(Work):
    """Stands for the rooms above: nobody is at work here, `runs/test_shared_projects` stops runs."""

    async def stop_all(self, user_id: str, *, actor: str) -> None:
        del user_id, actor


@dataclass(frozen=True, slots=True)
class Door:
    """The server and a client that keeps nothing."""

    base_url: str
    http: aiohttp.ClientSession
    identity: Identity
    log: EventLog

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: object = None,
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        given = dict(headers or {})
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        async with self.http.request(
            method,
            self.base_url + path,
            json=json,
            data=form,
            headers=given,
            allow_redirects=False,
        ) as answer:
            return await Answer.of(answer)

    async def register(self, name: str, *, password: str = PASSWORD) -> Person:
        answer = await self.call(
            "POST",
            "/v1/auth/register",
            json={"email": f"{name}@example.com", "username": name, "password": password},
        )
        assert answer.status == 201, answer.body
        told = answer.json
        user = told["user"]
        return Person(
            user["id"],
            user["username"],
            user["email"],
            told["access_token"],
            told["refresh_token"],
            user["api_key"],
        )

    async def login(self, name: str, *, password: str = PASSWORD) -> Answer:
        return await self.call(
            "POST", "/v1/auth/login", json={"username": name, "password": password}
        )

    async def refresh(self, token: str) -> Answer:
        return await self.call("POST", "/v1/auth/refresh", json={"refresh_token": token})

    async def me(self, token: str) -> Answer:
        return await self.call("GET", "/v1/auth/me", token=token)

    async def events(self, user_id: str) -> list[Record]:
        async with self.log.database.read() as session:
            return await records_after(session, f"account:{user_id}", 0, limit=1_000)

    async def kinds(self, user_id: str) -> list[str]:
        return [record.kind for record in await self.events(user_id)]


@asynccontextmanager
async def open_door(log: EventLog, identity: Identity) -> AsyncGenerator[Door]:
    """Serves identity on a free loopback port until the block ends."""
    app = FastAPI(
        routes=routes_of(ROUTERS),
        middleware=[Middleware(Edge), Middleware(Bodies, limit=1 << 20, larger={})],
    )
    install_error_handlers(app)
    app.add_api_websocket_route("/v1/probe", _probe)
    above = {EventLog: log, Activity: Figures(), Work: Rest()}
    app.state.services = Services({**identity.services(), **above})
    dummy = aiohttp.DummyCookieJar()
    async with beside(app) as address, aiohttp.ClientSession(cookie_jar=dummy) as http:
        yield Door(address, http, identity, log)


async def _probe(websocket: WebSocket, caller: SignedIn) -> None:
    await websocket.accept()
    await websocket.send_text(caller.user_id)
    await websocket.close()
