"""Requests that are read to their end, so that no connection is left to the collector."""

from __future__ import annotations

from typing import Any

import aiohttp
from yarl import URL


async def ask(
    session: aiohttp.ClientSession, method: str, url: str, *, encoded: bool = False, **options: Any
) -> aiohttp.ClientResponse:
    """The whole answer; its `text()` and `json()` may be asked for afterwards.

    Args:
        session: The client.
        method: GET, POST, ...
        url: The whole address.
        encoded: Whether the address is sent exactly as it stands.
        **options: Of `aiohttp.ClientSession.request`.
    """
    async with session.request(method, URL(url, encoded=encoded), **options) as answer:
        await answer.read()
        return answer
