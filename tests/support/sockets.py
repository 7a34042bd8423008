"""A WebSocket client: what it is told, how it is refused, how it ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin


@dataclass(frozen=True, slots=True)
class Refusal:
    """A handshake that was answered by something else than a WebSocket."""

    status: int
    document: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The code of the error document."""
        return self.document["error"]["code"]


@asynccontextmanager
async def socket(
    base_url: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    origin: str | None = None,
) -> AsyncGenerator[ClientConnection]:
    """An open WebSocket to `path` of the server at `base_url` (`http://...`)."""
    async with connect(
        f"ws{base_url.removeprefix('http')}{path}",
        additional_headers=headers,
        origin=None if origin is None else Origin(origin),
        proxy=None,
        compression=None,
        max_size=None,
        open_timeout=30,
        ping_interval=None,
    ) as connection:
        yield connection


async def refusal(
    base_url: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    origin: str | None = None,
) -> Refusal:
    """How the handshake is refused, which it has to be."""
    try:
        async with socket(base_url, path, headers, origin=origin):
            raise AssertionError(f"{path} was accepted")
    except InvalidStatus as error:
        answer = error.response
        return Refusal(answer.status_code, orjson.loads(answer.body or b"{}"), answer.headers)


async def told(connection: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    """What the server says, until it closes the socket."""
    while True:
        try:
            message = await connection.recv()
        except ConnectionClosed:
            return
        assert isinstance(message, str), "a binary message"
        yield orjson.loads(message)


async def until(messages: AsyncIterator[dict[str, Any]], **members: Any) -> list[dict[str, Any]]:
    """What is said up to the first message with these members."""
    got: list[dict[str, Any]] = []
    async for message in messages:
        got.append(message)
        if members.items() <= message.items():
            return got
    raise AssertionError(f"closed before {members}: {got}")


class Desk:
    """A socket of many sessions: asks, and sorts what it is told into answers and events."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._told = told(connection)
        self._asked = 0

    async def ask(self, kind: str, **members: Any) -> dict[str, Any]:
        """The one answer to a command; events that come before it are kept."""
        self._asked += 1
        command = {"type": kind, "id": str(self._asked), **members}
        await self.connection.send(orjson.dumps(command).decode())
        return await self.answer(command["id"])

    async def answer(self, command_id: str | None) -> dict[str, Any]:
        """The answer with this id, which has to be the next one."""
        async for message in self._told:
            if message["type"] != "event":
                assert message["id"] == command_id
                return message
            self.events.append((message["session_id"], message["event"]))
        raise ConnectionResetError("closed without an answer")

    async def until(self, kind: str, session_id: str | None = None) -> dict[str, Any]:
        """The first event of that kind, also one that is kept, and takes away those before it."""
        while True:
            while self.events:
                where, event = self.events.pop(0)
                if event["kind"] == kind and session_id in {None, where}:
                    return event
            async for message in self._told:
                assert message["type"] == "event", message
                self.events.append((message["session_id"], message["event"]))
                break
            else:
                raise AssertionError(f"closed before {kind}")

    async def rest(self) -> list[tuple[str, dict[str, Any]]]:
        """What else is said until the server closes the socket."""
        async for message in self._told:
            assert message["type"] == "event", message
            self.events.append((message["session_id"], message["event"]))
        return self.events


@asynccontextmanager
async def desk(
    base_url: str, headers: Mapping[str, str], *, path: str = "/v1/ws"
) -> AsyncGenerator[Desk]:
    """An open socket of many sessions."""
    async with socket(base_url, path, headers) as connection:
        yield Desk(connection)
