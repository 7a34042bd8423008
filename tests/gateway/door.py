"""A running server with a Claude behind it, and what its clients are: SDKs, and bare sockets."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from gateway.frames import Frame, Heard, frames_of
from support.client import ask
from support.upstream import Upstream, upstream

CLAUDE = "claude-sonnet-4-5"
PATIENCE_S = 30.0
ERROR_MEMBERS = {"code", "type", "message", "status", "param", "details"}
PASSWORD = "a harbour that forgets nothing"


@dataclass(frozen=True, slots=True)
class Person:
    """An account of the server, and its clients."""

    name: str
    user_id: str
    key: str
    base_url: str
    sdk: AsyncOpenAI
    http: aiohttp.ClientSession

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> aiohttp.ClientResponse:
        """Calls `/v1<path>`."""
        sent = {**self.headers, **(headers or {})}
        data = None
        if body is not None:
            # A stream: aiohttp warns of large bytes.
            data, sent["Content-Type"] = io.BytesIO(orjson.dumps(body)), "application/json"
        return await ask(self.http, method, f"{self.base_url}/v1{path}", data=data, headers=sent)

    async def get(self, path: str) -> Any:
        """What a GET answers, which has to be a 200."""
        answer = await self.call("GET", path)
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def chat(
        self, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> aiohttp.ClientResponse:
        """A completion in one document, or its failure."""
        return await self.call("POST", "/chat/completions", body, headers)

    async def stream(
        self,
        body: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
        *,
        most: int | None = None,
    ) -> Heard:
        """A streamed completion; the line is cut behind `most` frames."""
        heard = Heard()
        async with self.streaming(body, headers) as (answer, frames):
            heard.headers.update({k.lower(): v for k, v in answer.headers.items()})
            if most == 0:
                return heard
            async for frame in frames:
                heard.frames.append(frame)
                if len(heard.frames) == most:
                    break
        return heard

    @asynccontextmanager
    async def streaming(
        self, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[tuple[aiohttp.ClientResponse, AsyncIterator[Frame]]]:
        """A streamed completion, frame by frame."""
        sent = {**self.headers, **(headers or {})}
        url = f"{self.base_url}/v1/chat/completions"
        async with self.http.post(url, json={**body, "stream": True}, headers=sent) as answer:
            assert answer.status == 200, await answer.text()
            yield answer, frames_of(answer)
            answer.close()

    async def new_session(self, **members: object) -> str:
        """A session; one with a project has that project's workspace."""
        answer = await self.call("POST", "/sessions", {"model": "demo", **members})
        assert answer.status == 201, await answer.text()
        return (await answer.json())["id"]

    async def runs(self, session_id: str) -> list[dict[str, Any]]:
        """The runs of a session, the newest first."""
        return (await self.get(f"/sessions/{session_id}/runs"))["runs"]

    async def said(self, session_id: str) -> str:
        """What the assistant said in a session, as its history has it."""
        page = await self.get(f"/sessions/{session_id}/messages?role=assistant&limit=1000")
        blocks = [block for message in page["messages"] for block in message["blocks"]]
        return "".join(block["text"] for block in blocks if block["type"] == "text")

    async def decide(self, approval_id: str, decision: str = "approve") -> None:
        """Answers a question of the agent."""
        answer = await self.call("POST", f"/approvals/{approval_id}", {"decision": decision})
        assert answer.status == 200, await answer.text()

    async def until(self, session_id: str, status: str) -> dict[str, Any]:
        """The newest run of a session, once it has that status."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                runs = await self.runs(session_id)
                if runs and runs[0]["status"] == status:
                    return runs[0]
                await asyncio.sleep(0.02)


async def refused(person: Person, body: object) -> dict[str, Any]:
    """The error document of a request that has to fail."""
    answer = await person.call("POST", "/chat/completions", body)
    document = await answer.json(content_type="application/problem+json")
    assert answer.status == document["status"] == document["error"]["status"] >= 400
    assert set(document["error"]) == ERROR_MEMBERS
    assert document["instance"] == "/v1/chat/completions"
    return document


async def chunks_of(person: Person, **members: Any) -> list[ChatCompletionChunk]:
    members = {"model": CLAUDE, "messages": user("hi"), **members}
    stream: AsyncStream[ChatCompletionChunk] = await person.sdk.chat.completions.create(
        **members, stream=True
    )
    return [chunk async for chunk in stream]


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def new_key() -> dict[str, str]:
    """The header that makes a request one that may be repeated."""
    return {"Idempotency-Key": str(uuid4())}


def user(text: str) -> list[ChatCompletionMessageParam]:
    """One message of a person."""
    return [{"role": "user", "content": text}]


@contextmanager
def claude_in_a_thread() -> Generator[Upstream]:
    """The provider's API for as long as the tests last, whatever event loop each of them has."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    opened: list[Upstream] = []
    over = asyncio.Event()

    async def serve() -> None:
        async with upstream() as api:
            opened.append(api)
            started.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    started.wait(PATIENCE_S)
    try:
        yield opened[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE_S)
        loop.close()


async def account(base_url: str, name: str) -> tuple[str, str]:
    """A new account's id and key."""
    body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    async with aiohttp.ClientSession() as http:
        answer = await ask(http, "POST", f"{base_url}/v1/auth/register", json=body)
    assert answer.status == 201, await answer.text()
    made = (await answer.json())["user"]
    return made["id"], made["api_key"]


@asynccontextmanager
async def person(base_url: str, name: str, user_id: str, key: str) -> AsyncGenerator[Person]:
    """An account with its clients open."""
    async with (
        AsyncOpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0) as sdk,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http,
    ):
        yield Person(name, user_id, key, base_url, sdk, http)
