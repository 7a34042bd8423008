"""A reader that comes back with its last cursor, on any transport, and notes all that it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Any

import aiohttp
import orjson
from websockets.exceptions import WebSocketException

from faults.port import Port
from support.sockets import socket, told
from support.sse import parse

Json = dict[str, Any]
Frames = AsyncIterator[Json]
Transport = Callable[[Port, str, str], AbstractAsyncContextManager[Frames]]

BROKEN = (aiohttp.ClientError, OSError, TimeoutError, WebSocketException)
"""What a client sees of a server that was killed, sleeps, or is not there yet."""
PAUSE_S = 0.05
POLL_S = 5
PATIENCE_S = 900.0
"""Of somebody whose server is killed again and again; that runs end soon is the checker's to say."""
STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)


class Refused(aiohttp.ClientError):
    """The stream was not opened.

    Args:
        answer: What was said instead.
        pause_s: Seconds after which to come back.
    """

    def __init__(self, answer: str, pause_s: float) -> None:
        super().__init__(answer)
        self.pause_s = pause_s


class Follower:
    """One reader of one session, from the beginning.

    Args:
        transport: One of `TRANSPORTS`.
        heard: Called with each frame.
        cuts: When given, the client goes away by itself after some frames, again and again.

    Attributes:
        cursor: Of the last frame that was taken whole.
        finished: The runs that it has seen the end of.
    """

    def __init__(
        self,
        port: Port,
        session_id: str,
        *,
        name: str,
        transport: str,
        heard: Callable[[Json], None],
        cuts: Random | None = None,
    ) -> None:
        self.cursor = "0"
        self.finished: set[str] = set()
        self._port = port
        self._session_id = session_id
        self._name = name
        self._transport = transport
        self._heard = heard
        self._cuts = cuts
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._follow(), name=f"follower {name}")

    async def until(self, holds: Callable[[], Awaitable[bool] | bool]) -> None:
        """Returns once `holds` does, looked at after each frame and now and then."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                held = holds()
                if held if isinstance(held, bool) else await held:
                    return
                if self._task.done():
                    self._task.result()
                    raise AssertionError(f"{self._name} has left")
                self._changed.clear()
                try:
                    async with asyncio.timeout(0.5):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def leave(self) -> None:
        """Ends it where it stands."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                pause_s = await self._connection()
            except Refused as refused:
                pause_s = refused.pause_s
            except BROKEN:
                pause_s = PAUSE_S
            await asyncio.sleep(pause_s)

    async def _connection(self) -> float:
        """One connection to its end; returns the seconds after which to come back."""
        port, after = self._port, self.cursor
        most = self._cuts.randint(1, 60) if self._cuts is not None else None
        async with TRANSPORTS[self._transport](port, self._session_id, after) as frames:
            number = port.recorder.number()
            port.recorder.note(
                "opened",
                connection=number,
                reader=self._name,
                session_id=self._session_id,
                transport=self._transport,
                node=port.node,
                after=after,
            )
            count, pause_ms = 0, 0
            async for frame in frames:
                self._take(number, frame)
                pause_ms = frame.get("retry_ms", 0)
                count += 1
                if count == most:
                    break
        return pause_ms / 1_000 if count else PAUSE_S

    def _take(self, number: int, frame: Json) -> None:
        self._port.recorder.note("frame", connection=number, frame=frame)
        self.cursor = frame["cursor"]
        if frame["kind"] == "run.finished":
            self.finished.add(frame["run_id"])
        self._changed.set()
        self._heard(frame)


@asynccontextmanager
async def event_stream(port: Port, session_id: str, after: str) -> AsyncGenerator[Frames]:
    """Server-sent events."""
    url = f"{port.base_url}/v1/sessions/{session_id}/stream"
    headers = {**port.headers, "Last-Event-ID": after}
    async with port.http.get(url, headers=headers, timeout=STREAM_TIMEOUT) as answer:
        await _accepted(answer)
        yield _events(answer)


async def _accepted(answer: aiohttp.ClientResponse) -> None:
    if answer.status != 200:
        pause_s = float(answer.headers.get("Retry-After", PAUSE_S))
        raise Refused(await answer.text(), pause_s)


async def _events(answer: aiohttp.ClientResponse) -> Frames:
    rest = b""
    async for chunk in answer.content.iter_any():
        *blocks, rest = (rest + chunk).split(b"\n\n")
        for block in blocks:
            heard = parse(block)
            assert heard.retry == heard.data.get("retry_ms")
            yield heard.data


@asynccontextmanager
async def long_poll(port: Port, session_id: str, after: str) -> AsyncGenerator[Frames]:
    """One answer: what is there, or what comes within some seconds."""
    url = f"{port.base_url}/v1/sessions/{session_id}/events?after={after}&wait={POLL_S}"
    async with port.http.get(url, headers=port.headers, timeout=STREAM_TIMEOUT) as answer:
        await _accepted(answer)
        page = orjson.loads(await answer.read())
    if page["events"]:
        assert page["cursor"] == page["events"][-1]["cursor"]
    yield _listed(page["events"])


async def _listed(frames: list[Json]) -> Frames:
    for frame in frames:
        yield frame


@asynccontextmanager
async def web_socket(port: Port, session_id: str, after: str) -> AsyncGenerator[Frames]:
    """The WebSocket of one session."""
    path = f"/v1/sessions/{session_id}/ws?after={after}"
    async with socket(port.base_url, path, port.headers) as connection:
        yield told(connection)


@asynccontextmanager
async def shared_socket(port: Port, session_id: str, after: str) -> AsyncGenerator[Frames]:
    """The WebSocket that carries many sessions, with a subscription to one."""
    async with socket(port.base_url, "/v1/ws", port.headers) as connection:
        wish = {"type": "subscribe", "id": "1", "session_id": session_id, "after": after}
        await connection.send(orjson.dumps(wish).decode())
        messages = told(connection)
        acknowledged = await anext(messages, None)
        if acknowledged is None or acknowledged["type"] != "ack":
            raise Refused(str(acknowledged), PAUSE_S)
        yield _subscribed(messages, session_id)


async def _subscribed(messages: AsyncIterator[Json], session_id: str) -> Frames:
    async for message in messages:
        assert (message["type"], message["session_id"]) == ("event", session_id)
        yield message["event"]


TRANSPORTS: dict[str, Transport] = {
    "sse": event_stream,
    "poll": long_poll,
    "socket": web_socket,
    "shared-socket": shared_socket,
}
