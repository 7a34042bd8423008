"""A node dies, sleeps or goes in the middle of a run: the other one goes on with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from sqlalchemy import text

from homeport.kernel.db import Database
from nodes.pair import TTL_S, Node, Pair
from nodes.watcher import Watcher, watching
from runs.door import Door

Doors = tuple[Door, Door]
LONG = "PERF n=300 i=10"
SLOW = "PERF n=4000 i=20"
IN_TIME_S = TTL_S + 10
CUT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A run in the middle of a message, watched on both nodes.

    Attributes:
        holder: The node that runs it.
        there: Who watches on that node.
        survivor: The other node.
        here: Who watches on that one.
    """

    session_id: str
    run_id: str
    holder: Node
    there: Watcher
    survivor: Node
    here: Watcher


@asynccontextmanager
async def at_work(
    pair: Pair, doors: Doors, http: aiohttp.ClientSession, words: str = LONG
) -> AsyncGenerator[Scene]:
    """A run that has shown some text on both nodes."""
    session_id = await doors[0].session(model="demo")
    first, second = pair.nodes
    async with (
        watching(http, first, session_id) as on_first,
        watching(http, second, session_id) as on_second,
    ):
        run_id = await doors[0].say(session_id, words)
        holder = pair.holder(await on_first.until_kind("run.started"))
        here, there = (on_second, on_first) if holder is first else (on_first, on_second)
        for watcher in (here, there):
            await watcher.until_text(200)
        yield Scene(session_id, run_id, holder, there, pair.other(holder), here)


def in_time(watcher: Watcher, since_ms: float) -> None:
    """The second node has begun within the promised time, and with the next epoch."""
    begun = watcher.events("run.started")
    assert [event["epoch"] for event in begun] == [1, 2]
    assert len({event["node"] for event in begun}) == 2
    (interrupted,) = watcher.events("message.interrupted")
    assert interrupted["reason"] == "crashed"
    at = time.mktime(time.strptime(begun[1]["at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert at * 1000 - since_ms <= IN_TIME_S * 1000


@pytest.mark.requirement("F1")
async def test_node_when_killed_in_a_message_then_the_other_goes_on_in_time(
    pair: Pair, doors: Doors, http: aiohttp.ClientSession
) -> None:
    async with at_work(pair, doors, http) as scene:
        killed_at = time.time() * 1000
        scene.holder.kill()
        assert (await scene.here.until_kind("run.finished"))["status"] == "completed"
        in_time(scene.here, killed_at)
        known = scene.here.client.knows()
        # Whoever watched on the dead node comes to the other one, with the cursor that they had.
        carried = scene.there.client.copy()
        async with watching(http, scene.survivor, scene.session_id, client=carried) as moved:
            await moved.until_kind("run.finished")
            assert moved.client.knows() == known
        pair.start()
        async with watching(http, scene.holder, scene.session_id) as late:
            await late.until_kind("run.finished")
            assert late.client.knows() == known


@pytest.mark.requirement("F22")
async def test_node_when_it_sleeps_past_its_lease_then_it_writes_and_shows_nothing_stale(
    pair: Pair, doors: Doors, http: aiohttp.ClientSession
) -> None:
    async with at_work(pair, doors, http, SLOW) as scene:
        asleep_at = time.time() * 1000
        with scene.holder.asleep():
            await scene.here.until_kind("run.started", count=2)
            in_time(scene.here, asleep_at)
            await asyncio.sleep(2 * TTL_S)
        await scene.here.until_text(500)
        await scene.there.until_kind("run.started", count=2)
        await doors[0].post(f"/v1/runs/{scene.run_id}/stop")
        for watcher in (scene.here, scene.there):
            assert (await watcher.until_kind("run.finished"))["status"] == "stopped"
        assert scene.here.client.knows() == scene.there.client.knows()
        assert len(scene.here.events("run.started")) == 2


@pytest.mark.requirement("F23")
async def test_nodes_when_all_their_connections_are_cut_then_the_run_ends_whole(
    pair: Pair, doors: Doors, http: aiohttp.ClientSession
) -> None:
    database = Database(pair.nodes[0].settings["DATABASE_URL"])
    async with at_work(pair, doors, http) as scene:
        for _ in range(3):
            async with database.write() as session:
                await session.execute(CUT)
            await asyncio.sleep(0.3)
        for watcher in (scene.here, scene.there):
            assert (await watcher.until_kind("run.finished"))["status"] == "completed"
        assert scene.here.client.knows() == scene.there.client.knows()
    await database.close()


@pytest.mark.faults
@pytest.mark.requirement("F18")
async def test_node_when_told_to_end_in_a_long_run_then_the_other_goes_on(
    pair: Pair, doors: Doors, http: aiohttp.ClientSession
) -> None:
    async with at_work(pair, doors, http, SLOW) as scene:
        assert await asyncio.to_thread(scene.holder.stop) == 0
        await scene.here.until_kind("run.started", count=2)
        (interrupted,) = scene.here.events("message.interrupted")
        assert interrupted["reason"] == "draining"
        door = doors[pair.nodes.index(scene.survivor)]
        await door.post(f"/v1/runs/{scene.run_id}/stop")
        assert (await scene.here.until_kind("run.finished"))["status"] == "stopped"
