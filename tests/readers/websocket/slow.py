"""A WebSocket client that takes no more than it is told to, from a small window."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson

WINDOW = 32_768


class SlowSocket:
    """Its frames are taken apart by hand (RFC 6455, 5.2): no library reads ahead."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.got = bytearray()

    @property
    def port(self) -> int:
        """The client's own."""
        return self._socket.getsockname()[1]

    async def take(self) -> bool:
        """Takes a little; False at the end, in whatever way it comes."""
        try:
            some = await asyncio.get_running_loop().sock_recv(self._socket, 65_536)
        except ConnectionError:
            return False
        self.got += some
        return bool(some)

    async def take_all(self) -> None:
        """Takes what there is until the end."""
        while await self.take():
            pass

    async def say(self, *commands: dict[str, Any]) -> None:
        """Sends text messages, masked with zeros."""
        frames = bytearray()
        for command in commands:
            data = orjson.dumps(command)
            assert 126 <= len(data) < 65_536
            frames += b"\x81\xfe" + len(data).to_bytes(2, "big") + bytes(4) + data
        await asyncio.get_running_loop().sock_sendall(self._socket, bytes(frames))

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Opcode and payload of each frame that came whole."""
        at = self.got.index(b"\r\n\r\n") + 4
        while at + 2 <= len(self.got):
            assert self.got[at] & 0xF0 == 0x80, "whole messages, nothing compressed"
            opcode, size, at = self.got[at] & 0x0F, self.got[at + 1], at + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size, at = int.from_bytes(self.got[at : at + width], "big"), at + width
            if at + size > len(self.got):
                return
            yield opcode, bytes(self.got[at : at + size])
            at += size

    def messages(self) -> list[dict[str, Any]]:
        """The text messages that came whole."""
        return [orjson.loads(payload) for opcode, payload in self.frames() if opcode == 1]

    def close(self) -> tuple[int, str] | None:
        """Code and reason of the close, when one came."""
        for opcode, payload in self.frames():
            if opcode == 8:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()
        return None


@asynccontextmanager
async def slow_socket(base_url: str, path: str, key: str) -> AsyncGenerator[SlowSocket]:
    """A client that was accepted."""
    loop = asyncio.get_running_loop()
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", urlsplit(base_url).port))
        await loop.sock_sendall(connection, request.encode())
        client = SlowSocket(connection)
        while b"\r\n\r\n" not in client.got:
            assert await client.take()
        assert client.got.startswith(b"HTTP/1.1 101 ")
        yield client
