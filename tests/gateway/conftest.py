"""One server for all of this room: the demo model as fast as it is read, and a Claude beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.door import Person, account, claude_in_a_thread, person
from support.canaries.planted import PROVIDER_KEY
from support.server import Server
from support.upstream import Upstream


@pytest.fixture(scope="session")
def claude_api() -> Iterator[Upstream]:
    with claude_in_a_thread() as api:
        yield api


@pytest.fixture
def claude(claude_api: Upstream) -> Upstream:
    """The provider's API, with nothing asked of it yet."""
    claude_api.forget()
    return claude_api


@pytest.fixture(scope="session")
def harbour(claude_api: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "DEMO_PACE": "0",
        "ANTHROPIC_API_KEY": PROVIDER_KEY,
        "ANTHROPIC_BASE_URL": claude_api.url,
        "ANTHROPIC_IDLE_TIMEOUT": "1.5",
        "RATE_LIMIT_ENABLED": "false",
    }
    with Server(tmp_path_factory.mktemp("harbour"), **settings) as server:
        yield server


@pytest.fixture(scope="session")
def accounts(harbour: Server) -> dict[str, tuple[str, str]]:
    """Id and key of ada and bob."""
    return {name: asyncio.run(account(harbour.base_url, name)) for name in ("ada", "bob")}


@pytest.fixture
async def ada(harbour: Server, accounts: dict[str, tuple[str, str]]) -> AsyncIterator[Person]:
    async with person(harbour.base_url, "ada", *accounts["ada"]) as opened:
        yield opened


@pytest.fixture
async def bob(harbour: Server, accounts: dict[str, tuple[str, str]]) -> AsyncIterator[Person]:
    async with person(harbour.base_url, "bob", *accounts["bob"]) as opened:
        yield opened
