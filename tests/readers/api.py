"""A real server's API, as whoever a test wants to be."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

from support.server import Server

_numbers = count()


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the JSON that came with it."""

    status: int
    json: Any

    @property
    def code(self) -> str:
        """The code of the error document."""
        return self.json["error"]["code"]


@dataclass
class Api:
    """One person's way to the server."""

    http: aiohttp.ClientSession
    base_url: str
    headers: dict[str, str] = field(default_factory=dict[str, str])

    async def call(self, method: str, path: str, json: Any = None, **headers: str) -> Answer:
        sent = {**self.headers, **headers}
        async with self.http.request(
            method, self.base_url + path, json=json, headers=sent
        ) as answer:
            body = await answer.read()
            return Answer(answer.status, await answer.json(content_type=None) if body else None)

    async def get(self, path: str) -> Any:
        answer = await self.call("GET", path)
        assert answer.status == 200, answer
        return answer.json

    async def post(self, path: str, json: Any = None, **headers: str) -> Any:
        answer = await self.call("POST", path, json or {}, **headers)
        assert answer.status in {200, 201, 202}, answer
        return answer.json

    async def session(self, **members: Any) -> str:
        return (await self.post("/v1/sessions", members))["id"]

    async def say(self, session_id: str, content: str) -> dict[str, Any]:
        return await self.post(f"/v1/sessions/{session_id}/messages", {"content": content})

    async def ticket(self, session_id: str | None = None, **headers: str) -> str:
        body = {} if session_id is None else {"session_id": session_id}
        return (await self.post("/v1/stream-tickets", body, **headers))["ticket"]

    async def with_key(self, **members: Any) -> Api:
        """The same person, with a new API key."""
        made = await self.post("/v1/auth/api-keys", {"name": "test", **members})
        return Api(self.http, self.base_url, {"Authorization": f"Bearer {made['api_key']}"})

    async def revoke_key(self) -> None:
        """Revokes what `with_key` made."""
        keys = (await self.get("/v1/auth/api-keys"))["api_keys"]
        (key,) = [each["id"] for each in keys if each["name"] == "test"]
        answer = await self.call("DELETE", f"/v1/auth/api-keys/{key}")
        assert answer.status == 204, answer

    async def somebody_else(self) -> Api:
        """A new account."""
        name = f"somebody{next(_numbers)}{id(self)}"
        account = {
            "username": name,
            "email": f"{name}@example.org",
            "password": "an Octopus 4nd its lighthouse",
        }
        made = await self.post("/v1/auth/register", account)
        headers = {"Authorization": f"Bearer {made['access_token']}"}
        return Api(self.http, self.base_url, headers)

    async def finished(self, run_id: str) -> dict[str, Any]:
        """The run, when it is over."""
        while (run := await self.get(f"/v1/runs/{run_id}"))["status"] != "finished":
            await self.events(run["session_id"], wait=5)
        return run

    async def events(
        self, session_id: str, after: str | None = None, wait: float = 0
    ) -> list[dict[str, Any]]:
        """A page of frames."""
        query = f"limit=1000&wait={wait}" + (f"&after={after}" if after else "")
        return (await self.get(f"/v1/sessions/{session_id}/events?{query}"))["events"]

    async def kinds(self, session_id: str) -> list[str]:
        """The kinds of what stands on the stream now."""
        return [event["kind"] for event in await self.events(session_id, "0")]


@asynccontextmanager
async def admin_of(server: Server) -> AsyncGenerator[Api]:
    """The first admin's way to `server`; no connection is kept, it may be killed."""
    connector = aiohttp.TCPConnector(force_close=True)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield Api(http, server.base_url, server.admin)
