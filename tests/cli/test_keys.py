"""`homeport keys` beside a running server."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from support.client import ask
from support.commands import CommandRefused, command
from support.server import Server

PATIENCE_S = 30


async def published(http: aiohttp.ClientSession, server: Server) -> set[str]:
    answer = await ask(http, "GET", f"{server.base_url}/.well-known/jwks.json")
    return {key["kid"] for key in (await answer.json())["keys"]}


async def until_published(http: aiohttp.ClientSession, server: Server, kids: set[str]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await published(http, server) != kids:
            await asyncio.sleep(0.1)


async def test_rotate_when_the_server_runs_then_it_publishes_the_key_and_withdraws_it(
    server: Server, http: aiohttp.ClientSession
) -> None:
    (active,) = (await command(server, "keys", "list"))["signing_keys"]
    assert active["state"] == "active"
    first, waiting = (await command(server, "keys", "rotate"))["signing_keys"]
    assert (first, waiting["state"]) == (active, "next")
    await until_published(http, server, {active["id"], waiting["id"]})
    withdrawn = await command(server, "keys", "rotate", "--withdraw", waiting["id"])
    assert withdrawn["signing_keys"] == [active]
    await until_published(http, server, {active["id"]})
    with pytest.raises(CommandRefused, match=r"1: .*signing-key\.not-found"):
        await command(server, "keys", "rotate", "--withdraw", waiting["id"])
