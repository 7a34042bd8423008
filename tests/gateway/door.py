"""A running server with a Claude behind it, and what its clients are: SDKs, and bare sockets."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from support.client import ask
from support.upstream import Upstream, upstream

CLAUDE = "claude-sonnet-4-5"
PATIENCE_S = 30.0
DONE = b"[DONE]"
PASSWORD = "a harbour that forgets nothing"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a chat stream as it stood on the wire."""

    id: str | None
    data: bytes

    @property
    def json(self) -> dict[str, Any]:
        return orjson.loads(self.data)

    @property
    def text(self) -> str:
        """What a plain client adds to the answer."""
        if self.data == DONE:
            return ""
        choices = self.json.get("choices", [])
        return (choices[0]["delta"].get("content") or "") if choices else ""

    @property
    def kind(self) -> str:
        """`chunk`, `error`, `[DONE]`, or the type of an agent frame."""
        if self.data == DONE:
            return "[DONE]"
        document = self.json
        return "error" if "error" in document else str(document.get("type", "chunk"))


@dataclass(slots=True)
class Heard:
    """What came of a chat stream until it ended, or was cut."""

    frames: list[Frame] = field(default_factory=list[Frame])
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def text(self) -> str:
        return "".join(frame.text for frame in self.frames)

    @property
    def kinds(self) -> list[str]:
        return [frame.kind for frame in self.frames]

    @property
    def beside(self) -> list[bytes]:
        """The agent's frames byte for byte, but for those that only say that the line is alive."""
        plain = {"chunk", "heartbeat", "error", "[DONE]"}
        return [frame.data for frame in self.frames if frame.kind not in plain]

    @property
    def close(self) -> list[bytes]:
        """The frames from the end of the text on."""
        return [f.data for f in self.frames if f.kind == "[DONE]" or not _goes_on(f)]

    @property
    def last_id(self) -> str:
        """What a client would come back with."""
        return [frame.id for frame in self.frames if frame.id is not None][-1]


def _goes_on(frame: Frame) -> bool:
    choices = frame.json.get("choices", [])
    return bool(choices) and choices[0].get("finish_reason") is None


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
            yield answer, _frames(answer)
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


def since(heard: Heard) -> dict[str, str]:
    """The header with which a client comes back that has heard so much."""
    return {"Last-Event-ID": heard.last_id}


def new_key() -> dict[str, str]:
    """The header that makes a request one that may be repeated."""
    return {"Idempotency-Key": str(uuid4())}


def user(text: str) -> list[ChatCompletionMessageParam]:
    """One message of a person."""
    return [{"role": "user", "content": text}]


async def _frames(answer: aiohttp.ClientResponse) -> AsyncIterator[Frame]:
    rest = b""
    async for piece in answer.content.iter_any():
        *blocks, rest = (rest + piece).split(b"\n\n")
        for block in blocks:
            yield parse(block)
    assert not rest


def parse(block: bytes) -> Frame:
    """A frame without the empty line that ends it: an id or none, and one line of data."""
    assert b"\r" not in block
    lines = block.split(b"\n")
    assert lines[-1].startswith(b"data: ")
    assert len(lines) <= 2
    id_ = None
    if len(lines) == 2:
        assert lines[0].startswith(b"id: ")
        id_ = lines[0].removeprefix(b"id: ").decode()
    return Frame(id_, lines[-1].removeprefix(b"data: "))


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
