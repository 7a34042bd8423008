"""Clients that follow a run while it happens, and are cut again and again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import aiohttp
from websockets.exceptions import WebSocketException

from readers.api import Api
from readers.contract.clients import Chat, ChatFrame, Client, Native
from readers.contract.script import PROMPT
from readers.contract.transports import ChatRetry, Transport, asking, chat

GONE = (aiohttp.ClientError, WebSocketException, OSError)
"""How a client hears that the server is not there, for now."""
MOST_FRAMES = 40


class Follower:
    """One client on one transport.

    Attributes:
        cuts: How often its line was cut before it knew the end of the run.
        seen: Set when the model has begun to speak.
    """

    def __init__(self, transport: Transport, session_id: str, source: random.Random) -> None:
        self.transport = transport
        self.client: Client = transport.client()
        self.cuts = 0
        self.seen = asyncio.Event()
        self._session_id = session_id
        self._source = source
        self._begun = not isinstance(transport, ChatRetry)

    async def follow(self, api: Api, *, key: str) -> None:
        """Until the run is over. The chat client is the one that starts it, with `key`."""
        try:
            while not self._over():
                try:
                    await self._read_a_little(api, key)
                except GONE:
                    await asyncio.sleep(0.05)
                self.cuts += 1
                await asyncio.sleep(self._source.random() / 50)
        except Exception as error:
            error.add_note(f"{self.transport.name} at {self.client.cursor}, cut {self.cuts} times")
            raise

    async def _read_a_little(self, api: Api, key: str) -> None:
        left = self._source.randint(1, MOST_FRAMES)
        async with aclosing(self._frames(api, key)) as frames:
            async for frame in frames:
                self.client.apply(frame)
                self._begun = True
                if _speaks(frame):
                    self.seen.set()
                left -= 1
                if not left or self._over():
                    return

    def _frames(self, api: Api, key: str) -> AsyncGenerator[Any]:
        if self._begun:
            return self.transport.frames(api, self._session_id, self.client)
        return chat(api, asking(self._session_id, PROMPT), {"Idempotency-Key": key})

    def _over(self) -> bool:
        client = self.client
        if isinstance(client, Chat):
            return client.done
        assert isinstance(client, Native)
        return client.events[-1:] != [] and client.events[-1]["kind"] == "run.finished"


def _speaks(frame: Any) -> bool:
    """Whether a frame is a piece of the model's text, on either wire."""
    if isinstance(frame, tuple):
        return Chat().pieces(cast("ChatFrame", frame)) > 1
    return bool(frame["kind"] == "message.delta")
