"""A plain loopback HTTP server for the guard's tests: it counts connections and keeps requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass(slots=True)
class Heard:
    """One request as it arrived; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Listener:
    """What a loopback server has seen. `answer` maps a request to the bytes that it gets."""

    port: int = 0
    connections: int = 0
    heard: list[Heard] = field(default_factory=list[Heard])
    answer: Callable[[Heard], bytes] = lambda _: OK
    closed_by_client: asyncio.Event = field(default_factory=asyncio.Event)
    writers: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])
    finished: list[asyncio.Event] = field(default_factory=list[asyncio.Event])

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def entry(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        self.finished.append(finished := asyncio.Event())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                line, *rows = head.decode("latin-1").split("\r\n")[:-2]
                pairs = (row.partition(": ") for row in rows)
                headers = {name.lower(): value for name, _, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.heard.append(Heard(line, headers, body))
                writer.write(self.answer(self.heard[-1]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed_by_client.set()
        finally:
            writer.close()
            self.writers.discard(writer)
            finished.set()


@asynccontextmanager
async def listening(
    answer: Callable[[Heard], bytes] = lambda _: OK,
) -> AsyncGenerator[Listener, None]:
    """A server on a free loopback port, closed with the block."""
    listener = Listener(answer=answer)
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        for writer in listener.writers:
            writer.close()
        for finished in listener.finished:
            await finished.wait()


def redirect(location: str, status: int = 302) -> bytes:
    """An empty answer that sends the client on."""
    head = f"HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    return head.encode("latin-1")
