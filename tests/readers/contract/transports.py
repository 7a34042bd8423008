"""The five ways to read a session, each behind the same two verbs: read on, and be cut.

The native ones yield frames; the chat wire yields `(id, data)` of what OpenAI's clients get. All of
them begin behind a cursor and break off when their reader does.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from readers.api import Api
from readers.contract.clients import Chat, Client, Native
from support.sockets import Desk, Refusal, refusal, socket, told
from support.sse import heard

Frames = AsyncGenerator[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Refused:
    """How a reader was refused, on whatever transport."""

    status: int
    code: str


class Transport(Protocol):
    """One way to read."""

    name: str

    def client(self) -> Client:
        """A client that knows nothing yet."""
        ...

    def frames(self, api: Api, session_id: str, client: Client) -> AsyncGenerator[Any]:
        """What comes behind the client's cursor, for as long as one reads."""
        ...

    async def refused(self, api: Api, session_id: str, cursor: str) -> Refused:
        """How reading from there is refused, which it has to be."""
        ...


class SSE:
    """`GET /v1/sessions/{id}/stream`."""

    name = "sse"

    def client(self) -> Client:
        return Native()

    async def frames(self, api: Api, session_id: str, client: Client) -> Frames:
        url = f"{api.base_url}/v1/sessions/{session_id}/stream"
        headers = {**api.headers, "Last-Event-ID": client.cursor}
        async with api.http.get(url, headers=headers) as response:
            assert response.status == 200, await response.text()
            async for event in heard(response):
                yield event.data
            response.close()

    async def refused(self, api: Api, session_id: str, cursor: str) -> Refused:
        path = f"/v1/sessions/{session_id}/stream"
        answer = await api.call("GET", path, **{"Last-Event-ID": cursor})
        return Refused(answer.status, answer.code)


class SingleSocket:
    """`WS /v1/sessions/{id}/ws`."""

    name = "single-websocket"

    def client(self) -> Client:
        return Native()

    async def frames(self, api: Api, session_id: str, client: Client) -> Frames:
        path = f"/v1/sessions/{session_id}/ws?after={client.cursor}"
        async with socket(api.base_url, path, api.headers) as connection:
            async for frame in told(connection):
                yield frame

    async def refused(self, api: Api, session_id: str, cursor: str) -> Refused:
        path = f"/v1/sessions/{session_id}/ws?after={cursor}"
        found: Refusal = await refusal(api.base_url, path, api.headers)
        return Refused(found.status, found.code)


class ManySocket:
    """A subscription of `WS /v1/ws`."""

    name = "multiplex-websocket"

    def client(self) -> Client:
        return Native()

    async def frames(self, api: Api, session_id: str, client: Client) -> Frames:
        async with socket(api.base_url, "/v1/ws", api.headers) as connection:
            desk = Desk(connection)
            answer = await desk.ask("subscribe", session_id=session_id, after=client.cursor)
            assert answer["type"] == "ack", answer
            async for message in told(connection):
                assert message["session_id"] == session_id
                yield message["event"]

    async def refused(self, api: Api, session_id: str, cursor: str) -> Refused:
        async with socket(api.base_url, "/v1/ws", api.headers) as connection:
            desk = Desk(connection)
            answer = await desk.ask("subscribe", session_id=session_id, after=cursor)
            assert desk.events == []
            return Refused(answer["status"], answer["error"]["code"])


class LongPoll:
    """`GET /v1/sessions/{id}/events`, in pages of many sizes."""

    name = "long-poll"

    def client(self) -> Client:
        return Native()

    async def frames(self, api: Api, session_id: str, client: Client) -> Frames:
        cursor, sizes = client.cursor, random.Random(client.cursor)
        while True:
            query = f"after={cursor}&limit={sizes.choice([1, 2, 7, 1_000])}&wait=20"
            page = await api.get(f"/v1/sessions/{session_id}/events?{query}")
            for frame in page["events"]:
                yield frame
            cursor = page["cursor"]

    async def refused(self, api: Api, session_id: str, cursor: str) -> Refused:
        answer = await api.call("GET", f"/v1/sessions/{session_id}/events?after={cursor}")
        return Refused(answer.status, answer.code)


class ChatRetry:
    """`POST /v1/chat/completions`, repeated with `Last-Event-ID`."""

    name = "chat-retry"

    def client(self) -> Client:
        return Chat()

    async def frames(
        self, api: Api, session_id: str, client: Client
    ) -> AsyncGenerator[tuple[str | None, Any]]:
        headers = {"Last-Event-ID": f"{session_id}/{client.cursor}"}
        async with aclosing(chat(api, asking(session_id), headers)) as frames:
            async for frame in frames:
                yield frame

    async def refused(self, api: Api, session_id: str, cursor: str) -> Refused:
        headers = {"Last-Event-ID": f"{session_id}/{cursor}"}
        path = "/v1/chat/completions"
        answer = await api.call("POST", path, asking(session_id), **headers)
        return Refused(answer.status, answer.code)


def asking(session_id: str, content: str = "the same again") -> dict[str, Any]:
    """The body of a chat POST to the agent."""
    messages = [{"role": "user", "content": content}]
    return {"session_id": session_id, "stream": True, "messages": messages}


async def chat(
    api: Api, body: Mapping[str, Any], headers: Mapping[str, str]
) -> AsyncGenerator[tuple[str | None, Any]]:
    """Id and data of the frames of one streamed answer; `[DONE]` is None."""
    url = f"{api.base_url}/v1/chat/completions"
    async with api.http.post(url, json=body, headers={**api.headers, **headers}) as response:
        assert response.status == 200, await response.text()
        rest = b""
        async for chunk in response.content.iter_any():
            *blocks, rest = (rest + chunk).split(b"\n\n")
            for block in blocks:
                head, _, data = block.rpartition(b"data: ")
                number = head.removeprefix(b"id: ").rstrip(b"\n").decode() or None
                yield number, None if data == b"[DONE]" else orjson.loads(data)
        response.close()


NATIVE: tuple[Transport, ...] = (SSE(), SingleSocket(), ManySocket(), LongPoll())
ALL: tuple[Transport, ...] = (*NATIVE, ChatRetry())
