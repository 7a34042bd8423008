"""Two nodes with nothing but a PostgreSQL, started at the same moment on an empty one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import pytest

from nodes.pair import Node, Pair, until_carried
from nodes.watcher import watching
from runs.door import Door
from support.client import ask
from support.server import KEY


@pytest.fixture
def starting(empty_database_url: str, tmp_path: Path) -> Iterator[Pair]:
    """A pair that has been started at once."""
    pair = Pair(tmp_path, database_url=empty_database_url, redis_url=None)
    with ThreadPoolExecutor() as threads:  # a process ends with the thread that started it
        list(threads.map(Node.start, pair.nodes))
        yield pair
        pair.kill()


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_start_when_two_nodes_are_the_first_then_they_agree_and_work_as_one(
    starting: Pair, http: aiohttp.ClientSession
) -> None:
    first, second = starting.nodes
    said = [set(KEY.findall(node.said())) for node in starting.nodes]
    assert sorted(map(len, said)) == [0, 1], "there is one first admin"
    if not said[0]:
        first, second = second, first
    second.share_key(first)
    published = [
        await (await ask(http, "GET", f"{node.base_url}/.well-known/jwks.json")).json()
        for node in starting.nodes
    ]
    assert published[0] == published[1]
    for node in starting.nodes:
        assert (await until_carried(http, node, carried=True))["kind"] == "postgresql"
    session_id = await Door(http, first).session(model="demo")
    async with (
        watching(http, first, session_id) as here,
        watching(http, second, session_id) as there,
    ):
        await Door(http, first).say(session_id, "PERF n=50 i=10")
        await Door(http, second).say(session_id, "think about more")
        for watcher in (here, there):
            await watcher.until_kind("run.finished", count=2)
    assert here.client.knows() == there.client.knows()
