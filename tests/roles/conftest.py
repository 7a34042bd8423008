"""One server for all of this room, with room for many requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from roles.stage import Stage
from support.server import Server


@pytest.fixture(scope="session")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DEMO_PACE": "0", "RATE_LIMIT_ENABLED": "false", "SANDBOX": "none"}
    with Server(tmp_path_factory.mktemp("crowded"), **settings) as server:
        yield server


@pytest.fixture
async def stage(crowded: Server) -> AsyncIterator[Stage]:
    timeout = aiohttp.ClientTimeout(total=60)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=jar) as http:
        yield Stage(crowded.base_url, http, crowded.admin_key)
