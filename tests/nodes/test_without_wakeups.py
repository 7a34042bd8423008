"""Valkey is killed, halted, flushed or loses its listeners: all is later, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import pytest

from nodes.pair import Pair, until_carried
from nodes.watcher import watching
from runs.door import Door
from support.client import ask
from support.valkey import Valkey

Doors = tuple[Door, Door]
SLOW = "PERF n=4000 i=20"
PATIENCE_S = 60.0
TROUBLES: dict[str, Callable[[Valkey], object]] = {
    "killed": Valkey.kill,
    "halted": Valkey.halt,
    "flushed": lambda valkey: valkey.command("FLUSHALL"),
    "deaf": lambda valkey: valkey.command("CLIENT", "KILL", "TYPE", "pubsub"),
}


@pytest.mark.requirement("F9", "F10", "F23")
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_valkey_when_in_trouble_then_text_stops_and_queued_runs_still_cross(
    pair: Pair, doors: Doors, http: aiohttp.ClientSession, valkey: Valkey, trouble: str
) -> None:
    session_id = await doors[0].session(model="demo")
    first, second = pair.nodes
    async with (
        watching(http, first, session_id) as here,
        watching(http, second, session_id) as there,
    ):
        run_id = await doors[0].say(session_id, SLOW)
        holder = pair.holder(await here.until_kind("run.started"))
        TROUBLES[trouble](valkey)
        try:
            for watcher in (here, there):
                await watcher.until_text(watcher.shown + 300)
            other = doors[pair.nodes.index(pair.other(holder))]
            last_id = await other.say(session_id, "think about later")
            await other.post(f"/v1/runs/{run_id}/stop")
            for watcher in (here, there):
                await watcher.until_kind("run.finished", count=2)
        finally:
            valkey.start()
    outcomes = {end["run_id"]: end["status"] for end in here.events("run.finished")}
    assert outcomes == {run_id: "stopped", last_id: "completed"}
    assert here.client.knows() == there.client.knows()
    assert here.client.resets == there.client.resets == 0


@pytest.mark.requirement("F9")
async def test_valkey_when_it_goes_then_nodes_stay_ready_and_say_so_and_find_it_again(
    pair: Pair, http: aiohttp.ClientSession, valkey: Valkey
) -> None:
    for node in pair.nodes:
        await until_carried(http, node, carried=True)
    valkey.kill()
    for node in pair.nodes:
        await until_carried(http, node, carried=False)
    valkey.start()
    for node in pair.nodes:
        await until_carried(http, node, carried=True)


@pytest.mark.requirement("F9")
async def test_valkey_when_it_is_gone_then_people_still_sign_in_and_what_is_revoked_is_refused(
    pair: Pair, doors: Doors, http: aiohttp.ClientSession, valkey: Valkey
) -> None:
    valkey.kill()
    here, there = doors
    made = await here.post("/v1/auth/api-keys", {"name": "phone"})
    key = {"Authorization": f"Bearer {made['api_key']}"}
    url = f"{there.server.base_url}/v1/auth/me"
    assert (await ask(http, "GET", url, headers=key)).status == 200
    answer = await here.call("DELETE", f"/v1/auth/api-keys/{made['id']}")
    assert answer.status in {200, 204}, await answer.text()
    async with asyncio.timeout(PATIENCE_S):
        while (await ask(http, "GET", url, headers=key)).status != 401:
            await asyncio.sleep(0.1)
