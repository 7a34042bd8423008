"""A server as its clients see it: an address that may answer or not, and requests that are noted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import orjson

from faults.ears import Ears
from faults.recorder import Recorder
from support.client import ask
from support.server import Server

Json = dict[str, Any]
Does = Literal["start", "say", "answer", "stop"]
BUSY = 503
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=5)
PATIENCE_S = 900.0
"""Of somebody whose server is killed again and again; that runs end soon is the checker's to say."""


@asynccontextmanager
async def client() -> AsyncGenerator[aiohttp.ClientSession]:
    """A client that keeps no connection: servers are killed under it."""
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


@dataclass
class Port:
    """One server's door.

    Attributes:
        node: The server's name in the history.
        headers: The caller's credential.
        ears: Told of every request, by what it does, right before it is sent.
    """

    server: Server
    http: aiohttp.ClientSession
    recorder: Recorder
    chance: random.Random
    node: str = "n1"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    ears: Ears = field(default_factory=Ears)

    def __post_init__(self) -> None:
        self.headers = self.headers or self.server.admin

    @property
    def base_url(self) -> str:
        """Where the server listens, also while it does not."""
        return self.server.base_url

    async def get(self, path: str) -> Json:
        """What is read, once the server is there."""
        url = self.base_url + path
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    answer = await ask(
                        self.http, "GET", url, headers=self.headers, timeout=REQUEST_TIMEOUT
                    )
                except (aiohttp.ClientError, OSError, TimeoutError):
                    await asyncio.sleep(0.1)
                    continue
                if answer.status != BUSY:
                    assert answer.status == 200, await answer.text()
                    return await answer.json()

    async def insist(
        self, does: Does, thing: str, path: str, body: Json, *, key: str | None = None, **told: Any
    ) -> tuple[int, Json]:
        """Asks until there is an answer, each time for the same; each try and its end is noted.

        Args:
            does: What is asked for.
            thing: What a repeat has in common with what it repeats.
            path: Of the POST.
            body: Of the POST.
            key: `Idempotency-Key`.
            **told: What else the checker must know of the request.
        """
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await self._try(does, thing, path, body, key, told)
                if answer is not None and answer[0] != BUSY:
                    return answer
                await asyncio.sleep(self.chance.uniform(0.02, 0.4))

    async def _try(
        self, does: Does, thing: str, path: str, body: Json, key: str | None, told: Json
    ) -> tuple[int, Json] | None:
        number = self.recorder.number()
        self.recorder.note("asked", id=number, does=does, thing=thing, **told)
        self.ears.tell(does)
        headers = {**self.headers, "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        try:
            answer = await ask(
                self.http,
                "POST",
                self.base_url + path,
                headers=headers,
                data=orjson.dumps(body),
                timeout=REQUEST_TIMEOUT,
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.recorder.note("lost", id=number, why=repr(error))
            return None
        document: Json = await answer.json(content_type=None)
        self.recorder.note("answered", id=number, status=answer.status, body=document)
        return answer.status, document
