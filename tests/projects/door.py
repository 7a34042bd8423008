"""The projects routes behind a real socket. Tokens are names: proof is identity's matter."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import orjson
import uvicorn
from fastapi import FastAPI

from homeport.eventlog import EventLog, Record
from homeport.eventlog.read import records_after
from homeport.identity.access import Caller, Callers
from homeport.identity.errors import CredentialRefused
from homeport.identity.models import User
from homeport.identity.roles import permissions_of
from homeport.kernel import clock
from homeport.kernel.http.errors import install_error_handlers
from homeport.kernel.http.openapi import describe
from homeport.kernel.http.provide import Services
from homeport.kernel.ids import new_id
from homeport.projects.places import Places
from homeport.projects.policy import Limits
from homeport.projects.router import router


class Names(Callers):
    """Knows people by their name."""

    def __init__(self) -> None:
        self.people: dict[str, Caller] = {}

    async def identify(self, credential: str, *, keys_only: bool) -> Caller:
        if keys_only or credential not in self.people:
            raise CredentialRefused
        return self.people[credential]

    async def still_valid(self, caller: Caller) -> bool:
        return caller.username in self.people


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end."""

    status: int
    json: Any

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


@dataclass(frozen=True, slots=True)
class Door:
    """The server, and a client that calls as whom it is told."""

    base_url: str
    http: aiohttp.ClientSession
    log: EventLog
    names: Names
    app: FastAPI

    async def person(self, name: str, *roles: str) -> Caller:
        """A new account."""
        caller = Caller(
            user_id=new_id(),
            username=name,
            roles=frozenset(roles),
            permissions=permissions_of(("user", *roles)),
        )
        now = clock.utc_now()
        user = User(
            id=caller.user_id,
            email=f"{name}@example.org",
            email_key=f"{name}@example.org",
            username=name,
            username_key=name,
            password_hash=None,
            roles=sorted(roles),
            preferences={},
            is_active=True,
            created_at=now,
            updated_at=now,
            last_login_at=None,
            deleted_at=None,
        )
        async with self.log.database.write() as session:
            session.add(user)
        self.names.people[name] = caller
        return caller

    async def call(
        self, name: str | None, method: str, path: str = "", json: object = None
    ) -> Answer:
        """Calls `/v1/projects<path>` as `name`."""
        headers = {"Authorization": f"Bearer {name}"} if name else {}
        async with self.http.request(
            method, f"{self.base_url}/v1/projects{path}", json=json, headers=headers
        ) as answer:
            return Answer(answer.status, orjson.loads(await answer.read()))

    async def create(self, who: str, **members: object) -> dict[str, Any]:
        """A new project of `who`'s."""
        answer = await self.call(who, "POST", json={"name": "Harbour", **members})
        assert answer.status == 201, answer.json
        return cast("dict[str, Any]", answer.json)

    async def events(self, project_id: str) -> list[Record]:
        async with self.log.database.read() as session:
            return await records_after(session, f"project:{project_id}", 0, limit=1_000)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # the signals belong to pytest


@asynccontextmanager
async def open_door(log: EventLog, places: Places, limits: Limits) -> AsyncGenerator[Door]:
    """Serves projects on a free loopback port until the block ends."""
    app, names = FastAPI(), Names()
    install_error_handlers(app)
    app.include_router(router)
    app.state.services = Services({EventLog: log, Callers: names, Places: places, Limits: limits})
    app.openapi = lambda: describe(app)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="websockets-sansio")
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.005)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
                yield Door(address, http, log, names, app)
        finally:
            server.should_exit = True
            await serving
