"""Event streams through what stands between a server and a phone.

Proxies that hand on a byte at a time, speak HTTP/1.0, or cut whoever is silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from readers.hall import Hall
from support.facts import append, complete, fact, open_message
from support.sse import Heard, dechunked, parse
from support.stream_client import StreamClient

pytestmark = [
    pytest.mark.parametrize("dialect", ["sqlite"], indirect=True),
    pytest.mark.requirement("F32"),
]

WORDS = "a\u6f6e\U0001f6a2e\u0301\n"
SILENCE = 60
"""Seconds without a byte after which the usual proxy cuts a connection."""


class Proxy:
    """A TCP proxy in front of a hall, with a clock that the test turns.

    Args:
        bite: Bytes of the answer that are handed on at once.
    """

    def __init__(self, hall: Hall, *, bite: int) -> None:
        self._port = urlsplit(hall.address).port
        self._bite = bite
        self._silent_s = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, for as long as it stays."""
        upstream, door = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, door]
        for source, sink, bite in ((reader, door, 65_536), (upstream, writer, self._bite)):
            task = asyncio.create_task(self._hand_on(source, sink, bite))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _hand_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, bite: int
    ) -> None:
        while some := await source.read(bite):
            self._silent_s = 0
            sink.write(some)
            await sink.drain()
        sink.close()

    def second(self) -> None:
        """One passes; whoever was silent for too long is cut."""
        self._silent_s += 1
        if self._silent_s >= SILENCE:
            self.close()

    def close(self) -> None:
        """Cuts everything."""
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def through(hall: Hall, *, bite: int) -> AsyncGenerator[tuple[Proxy, int]]:
    """A proxy, and the port that it listens on."""
    proxy = Proxy(hall, bite=bite)
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as listening:
        yield proxy, listening.sockets[0].getsockname()[1]
        proxy.close()


class Phone:
    """A client of one stream that reads bytes, and knows no library.

    Attributes:
        head: Of the answer.
    """

    def __init__(self, reader: asyncio.StreamReader, decode: Callable[[bytes], bytes]) -> None:
        self.head = b""
        self._reader = reader
        self._decode = decode
        self._body = b""
        self._taken = 0

    async def events(self) -> AsyncIterator[Heard]:
        """What comes, each event as soon as it is whole, to the end."""
        self.head = self.head or await self._reader.readuntil(b"\r\n\r\n")
        while True:
            blocks = self._decode(self._body).split(b"\n\n")[:-1]
            while self._taken < len(blocks):
                self._taken += 1
                yield parse(blocks[self._taken - 1])
            some = await self._reader.read(65_536)
            if not some:
                return
            self._body += some


@asynccontextmanager
async def phone(
    hall: Hall, port: int | None, *, version: str = "1.1", decode: Callable[[bytes], bytes]
) -> AsyncGenerator[Phone]:
    """Asks for the session's stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    path, key = hall.path("stream?after=1"), hall.owner
    request = f"GET {path} HTTP/{version}\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n\r\n"
    writer.write(request.encode())
    yield Phone(reader, decode)
    writer.transport.abort()


async def until(events: AsyncIterator[Heard], kind: str, client: StreamClient) -> None:
    """Reads up to and with the next event of that kind."""
    async for event in events:
        client.apply(event.data)
        if event.event == kind:
            return
    raise AssertionError(f"it ended before a {kind}")


async def told_as_it_happens(hall: Hall, events: AsyncIterator[Heard]) -> None:
    """A message is written piece by piece; each piece is there before the next is written."""
    client = StreamClient()
    await until(events, "stream.heartbeat", client)
    writer = await open_message(hall.log, hall.stream)
    await until(events, "message.started", client)
    writer.block_started("text")
    for number in range(1, 6):
        writer.delta(WORDS)
        while client.texts.get("m", [""])[:1] != [WORDS * number]:
            await until(events, "message.delta", client)
    await complete(hall.log, hall.stream, writer)
    await until(events, "message.completed", client)
    assert client.texts == {"m": [WORDS * 5]}
    assert client.resets == 0


async def test_stream_when_a_proxy_hands_on_single_bytes_then_each_word_comes_as_it_is_said(
    hall: Hall,
) -> None:
    async with (
        asyncio.timeout(60),
        through(hall, bite=1) as (_, port),
        phone(hall, port, decode=dechunked) as client,
    ):
        await told_as_it_happens(hall, client.events())


async def test_stream_when_the_proxy_speaks_http_1_0_then_it_is_not_chunked_and_as_quick(
    hall: Hall,
) -> None:
    async with (
        asyncio.timeout(60),
        phone(hall, urlsplit(hall.address).port, version="1.0", decode=bytes) as client,
    ):
        await told_as_it_happens(hall, client.events())
        assert b" 200 " in client.head.splitlines()[0]
        assert b"transfer-encoding" not in client.head.lower()
        assert b"\r\nconnection: close\r\n" in client.head.lower()


async def test_stream_when_a_proxy_cuts_whoever_is_silent_for_a_minute_then_it_is_never_cut(
    hall: Hall,
) -> None:
    client = StreamClient()
    async with (
        asyncio.timeout(60),
        through(hall, bite=65_536) as (proxy, port),
        phone(hall, port, decode=dechunked) as listener,
    ):
        events = listener.events()
        await until(events, "stream.heartbeat", client)
        for _ in range(20):
            for _ in range(SILENCE // 2):
                hall.pulse.beat()
                proxy.second()
            await until(events, "stream.heartbeat", client)
        await append(hall.log, hall.stream, fact())
        await until(events, "run.stop_requested", client)
