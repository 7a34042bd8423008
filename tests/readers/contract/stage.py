"""A server whose model plays what a test has scripted, and runs that have been played on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from readers.api import Api, admin_of
from readers.contract.clients import Client
from readers.contract.script import PROMPT
from readers.contract.transports import Transport, asking, chat
from support.canaries.planted import PROVIDER_KEY
from support.server import Server
from support.upstream import Reply, Upstream

SETTINGS = {
    "ANTHROPIC_API_KEY": PROVIDER_KEY,
    "ALLOW_BYPASS": "true",
    "LEASE_TTL": "5",
    "MAX_SOCKETS_PER_USER": "200",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """The server and the model behind it."""

    server: Server
    claude: Upstream

    @asynccontextmanager
    async def admin(self) -> AsyncGenerator[Api]:
        """The admin's way to the server."""
        async with admin_of(self.server) as admin:
            yield admin

    async def play(self, api: Api, replies: Sequence[Reply], key: str) -> str:
        """A session in which the run was played, by a chat POST with `key`, to its end."""
        self.claude.script(*replies)
        session_id = await api.session(permission_mode="bypass")
        await follow_chat(api, session_id, key)
        return session_id


async def follow_chat(api: Api, session_id: str, key: str) -> list[Any]:
    """All frames of the answer to the POST with that key, which may have been made before."""
    async with aclosing(chat(api, asking(session_id, PROMPT), {"Idempotency-Key": key})) as frames:
        return [frame async for frame in frames]


async def read_through(
    transport: Transport, api: Api, session_id: str, client: Client, *, until: object
) -> list[Any]:
    """Reads on from where `client` stands, until it knows what `until` is; returns the frames."""
    got: list[Any] = []
    async with aclosing(transport.frames(api, session_id, client)) as frames:
        while not client.whole(until):
            frame = await anext(frames)
            client.apply(frame)
            got.append(frame)
    return got


async def read_to(
    transport: Transport, api: Api, session_id: str, client: Client, *, cursor: str
) -> list[Any]:
    """Reads on from where `client` stands until it stands at `cursor`; returns the frames."""
    got: list[Any] = []
    async with aclosing(transport.frames(api, session_id, client)) as frames:
        while client.cursor != cursor:
            frame = await anext(frames)
            client.apply(frame)
            got.append(frame)
    return got


async def end_of(api: Api, session_id: str) -> str:
    """Where a reader stands at the end of the log."""
    page = await api.get(f"/v1/sessions/{session_id}/events?limit=1")
    return page["cursor"]
