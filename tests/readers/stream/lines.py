"""Event streams over plain sockets, by the thousand: no client library between a test and its line."""

from __future__ import annotations

import asyncio
import resource
import struct
from contextlib import suppress
from socket import SO_LINGER, SOL_SOCKET
from typing import Self
from urllib.parse import urlsplit

from support.sse import Heard, dechunked, parse

RESET = struct.pack("ii", 1, 0)  # closing sends a RST: what a phone does that lost its network


class RawLine:
    """One connection with one request on it.

    Attributes:
        status: Of the answer.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> None:
        self.status = 0
        self._reader = reader
        self._writer = writer
        self._request = request
        self._body = b""

    @classmethod
    async def connect(cls, base_url: str, path: str, headers: dict[str, str]) -> Self:
        """A connection; nothing is asked yet."""
        url = urlsplit(base_url)
        lines = [f"GET {path} HTTP/1.1", f"Host: {url.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join([*lines, "", ""]).encode()
        return cls(*await asyncio.open_connection(url.hostname, url.port), request)

    def ask(self, *, part: float = 1.0) -> None:
        """Sends the request, or only a part of it."""
        self._writer.write(self._request[: int(len(self._request) * part)])

    async def answered(self) -> int:
        """Waits for the head of the answer; its status."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        self.status = int(head.split(b" ", 2)[1])
        return self.status

    async def until(self, mark: bytes) -> None:
        """Reads until `mark` has come, or the end."""
        while mark not in self._body and (some := await self._reader.read(65_536)):
            self._body += some

    async def rest(self) -> bytes:
        """What comes to the end."""
        return self._body + await self._reader.read()

    def heard(self) -> list[Heard]:
        """The events that came whole."""
        return [parse(block) for block in dechunked(self._body).split(b"\n\n")[:-1]]

    @property
    def ended(self) -> bool:
        """Whether the server has ended it, as far as has been read."""
        return self._reader.at_eof()

    def close(self, *, reset: bool = False) -> None:
        """Goes away, in order or not."""
        if reset:
            connection = self._writer.get_extra_info("socket")
            connection.setsockopt(SOL_SOCKET, SO_LINGER, RESET)
        with suppress(OSError):
            self._writer.close()


def room_for(connections: int) -> bool:
    """Takes as many descriptors as `connections` need, if the machine has them."""
    wanted = connections + 256
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else hard
    if soft < wanted <= most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted <= most
