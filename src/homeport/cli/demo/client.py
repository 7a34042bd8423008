"""The demo as a client: it knows the server by its public API only, like any phone."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from homeport.cli.demo.stage import DemoFailed
from homeport.kernel.outbound import Outbound, entry_for
from homeport.providers.sse import SSEParser

Frame = dict[str, Any]
CALL_S = 30.0
SILENCE_S = 60.0  # the stream's heart beats every 15 s


class Client:
    """One person who is signed in.

    Args:
        address: `http://127.0.0.1:<port>`.
        outbound: A client that may reach it.
        token: An access token.
    """

    def __init__(self, address: str, outbound: Outbound, token: str) -> None:
        self._address = address
        self._outbound = outbound
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str) -> dict[str, Any]:
        """A GET; raises what `_call` raises."""
        return await _call(self._outbound, "GET", self._address + path, headers=self._headers)

    async def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A POST; raises what `_call` raises."""
        url = self._address + path
        return await _call(self._outbound, "POST", url, headers=self._headers, body=body or {})

    async def frames(self, session_id: str, *, after: str) -> AsyncGenerator[Frame, None]:
        """The session's stream behind the cursor `after`; closing the generator cuts the line.

        Raises:
            DemoFailed: The server refuses the stream, or ends it.
        """
        url = f"{self._address}/v1/sessions/{session_id}/stream"
        headers = {**self._headers, "Last-Event-ID": after}
        parser = SSEParser()
        async with self._outbound.stream(
            "GET", url, headers=headers, idle_timeout_s=SILENCE_S
        ) as answer:
            if answer.status != 200:
                raise DemoFailed(f"The stream was refused: {(await answer.read()).decode()}")
            while chunk := await answer.next_chunk():
                for _, data in parser.feed(chunk):
                    yield orjson.loads(data)
        raise DemoFailed("The server ended the stream.")


@asynccontextmanager
async def signed_in(address: str) -> AsyncGenerator[Client, None]:
    """Registers somebody who exists for this demo only, and signs them in.

    Raises:
        DemoFailed: The server refuses.
    """
    async with Outbound(allow=[entry_for(address)]) as outbound:
        account = {
            "username": "you",
            "email": "you@example.org",
            "password": secrets.token_urlsafe(24),
        }
        answer = await _call(outbound, "POST", f"{address}/v1/auth/register", body=account)
        yield Client(address, outbound, answer["access_token"])


async def _call(
    outbound: Outbound,
    method: str,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    sent = {**(headers or {}), "Content-Type": "application/json"}
    payload = None if body is None else orjson.dumps(body)
    answer = await outbound.fetch(method, url, headers=sent, body=payload, timeout_s=CALL_S)
    if answer.status >= 300:
        raise DemoFailed(f"{method} {url}: {answer.status} {answer.body.decode()}")
    return orjson.loads(answer.body)
