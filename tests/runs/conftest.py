"""Servers whose model is a loopback server that speaks the real streaming protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import aiohttp
import pytest

from runs.door import Door
from support.canaries.planted import PROVIDER_KEY
from support.database import postgresql_database, postgresql_template
from support.loop_thread import LoopThread
from support.server import MakeServer, Server
from support.upstream import Upstream, upstream

IDLE_S = 1
"""Seconds without a byte after which these servers give a model call up."""
ONE_DATABASE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
"""For what has nothing to do with the database."""


@pytest.fixture(scope="session")
def beside() -> Iterator[LoopThread]:
    """A loop for what several tests share."""
    with LoopThread() as thread:
        yield thread


@pytest.fixture(scope="session")
def shared_claude(beside: LoopThread) -> Upstream:
    """The upstream of all servers of this room."""
    return beside.hold(upstream())


@pytest.fixture
def claude(shared_claude: Upstream) -> Upstream:
    """The upstream, with nothing scripted and nothing received."""
    shared_claude.forget()
    return shared_claude


@pytest.fixture(scope="session")
def at_claude(shared_claude: Upstream) -> dict[str, str]:
    """Settings of a server whose models are the upstream's."""
    return {
        "ANTHROPIC_API_KEY": PROVIDER_KEY,
        "ANTHROPIC_BASE_URL": shared_claude.url,
        "ANTHROPIC_IDLE_TIMEOUT": str(IDLE_S),
        "ALLOW_BYPASS": "true",
        "DEMO_PACE": "0",
        "NODE_ID": "n1",
    }


class SharedServer(Protocol):
    """The one server of a dialect with these settings; `alone` is kept from tests without it."""

    def __call__(self, dialect: str, *, alone: str = "", **settings: str) -> Server: ...


@pytest.fixture(scope="session")
def shared_server(
    tmp_path_factory: pytest.TempPathFactory, at_claude: dict[str, str], beside: LoopThread
) -> Iterator[SharedServer]:
    """Servers for tests that neither stop them nor mind each other's data."""
    started: dict[str, Server] = {}
    with ExitStack() as stack:

        def server(dialect: str, *, alone: str = "", **settings: str) -> Server:
            key = f"{dialect} {alone} {sorted(settings.items())}"
            if key not in started:
                database: dict[str, str] = {}
                if dialect == "postgresql":
                    url = beside.hold(postgresql_database(postgresql_template()))
                    database["DATABASE_URL"] = url
                folder = tmp_path_factory.mktemp(f"runs-{dialect}")
                made = Server(folder, **{**at_claude, **database, **settings})
                started[key] = stack.enter_context(made)
            return started[key]

        yield server


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """No connection is kept: servers are killed under their clients."""
    connector = aiohttp.TCPConnector(force_close=True)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield session


@pytest.fixture
async def door(
    shared_server: SharedServer,
    dialect: str,
    claude: Upstream,
    http: aiohttp.ClientSession,
) -> AsyncIterator[Door]:
    """The shared server of the dialect; whatever a test leaves at work in it is stopped."""
    del claude  # only so that the next test's script is the first that runs find
    opened = Door(http, shared_server(dialect))
    yield opened
    await opened.stop_all()


class OwnDoor(Protocol):
    """A server of this test's own, with these settings, on the test's own database."""

    def __call__(self, **settings: str) -> Door: ...


@pytest.fixture
async def own_door(
    make_server: MakeServer,
    database_url: str,
    at_claude: dict[str, str],
    claude: Upstream,
    http: aiohttp.ClientSession,
) -> OwnDoor:
    """`own_door(LEASE_TTL="2")`."""
    del claude

    def make(**settings: str) -> Door:
        return Door(http, make_server(**{**at_claude, "DATABASE_URL": database_url, **settings}))

    return make


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty directory that is no repository."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder.resolve()
