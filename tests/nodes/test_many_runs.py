"""Many short runs on two nodes: none is run twice, none is lost, whatever happens around them."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from faults.port import client
from faults.recorder import Recorder, judged
from faults.remains import note_remains
from faults.storm import model_server
from nodes.conftest import MakePair
from nodes.fleet import Fleet
from nodes.pair import TTL_S, Node, Pair
from support.valkey import Valkey

POSTGRESQL = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
SEED = 20_268
NEVER_S = 60
"""A lease so long that no node is taken for dead, however busy the machine is."""
Trouble = Callable[[random.Random], Awaitable[None]]
MakeTrouble = Callable[[Pair, Recorder], Trouble]


def of_valkey(valkey: Valkey) -> MakeTrouble:
    """It is killed, halted, flushed, or loses its listeners."""

    async def trouble(chance: random.Random) -> None:
        kind = chance.choice(["kill", "halt", "flush", "deaf"])
        if kind == "flush":
            assert valkey.command("FLUSHALL") == "+OK"
        elif kind == "deaf":
            valkey.command("CLIENT", "KILL", "TYPE", "pubsub")
        else:
            (valkey.kill if kind == "kill" else valkey.halt)()
            await asyncio.sleep(chance.uniform(0.1, 2.0))
            valkey.start()

    return lambda _pair, _recorder: trouble


def of_nodes(pair: Pair, recorder: Recorder) -> Trouble:
    """One of them is killed and started again, or sleeps for three leases."""

    def note(node: Node, how: str) -> None:
        recorder.note("node", node=node.name, how=how, point="fleet")

    async def trouble(chance: random.Random) -> None:
        node = chance.choice(pair.nodes)
        if chance.random() < 0.5:
            node.kill()
            note(node, "killed")
            await asyncio.sleep(chance.uniform(0, 2 * TTL_S))
            await asyncio.to_thread(node.start)
            note(node, "ready")
            return
        note(node, "slept")
        with node.asleep():
            await asyncio.sleep(3 * TTL_S)
        note(node, "woke")

    return trouble


async def fleet_at_work(
    make_pair: MakePair,
    valkey: Valkey,
    folder: Path,
    *,
    runs: int,
    lease_s: float,
    makes: MakeTrouble,
) -> dict[str, Any]:
    """What the history of so many runs has seen; the checker has found nothing wrong in it."""
    with Recorder(folder / "history.jsonl") as recorder:
        async with model_server(recorder, seed=SEED, interval_s=0.002) as model_url:
            pair = make_pair(
                redis_url=valkey.url,
                LEASE_TTL=str(lease_s),
                ANTHROPIC_API_KEY="sk-test",
                ANTHROPIC_BASE_URL=model_url,
                RUN_MAX_TOKENS="1000000000",
            )
            pair.start()
            async with client() as http:
                fleet = Fleet(pair, http, recorder, seed=SEED)
                async with troubled(makes(pair, recorder)):
                    await fleet.work(runs)
        await note_remains(recorder, pair.nodes[0].settings["DATABASE_URL"], [])
        recorder.finish()
    seen = judged(recorder.path) | {"at_work_on": started_on(recorder.path)}
    print(seen)
    return seen


@asynccontextmanager
async def troubled(trouble: Trouble) -> AsyncGenerator[None]:
    """Trouble, again and again, while the block lasts."""

    async def again() -> None:
        chance = random.Random(SEED)
        while True:
            await asyncio.sleep(chance.uniform(0.2, 2.0))
            await trouble(chance)

    task = asyncio.create_task(again())
    try:
        yield
        assert not task.done(), task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def started_on(history: Path) -> Counter[str]:
    """How many runs each node has begun."""
    with history.open(encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines if '"kind":"run.started"' in line]
    starts = [json.loads(event["payload"]) for event in events if event["what"] == "event"]
    return Counter(start["node"].partition(":")[0] for start in starts)


@POSTGRESQL
@pytest.mark.requirement("F6", "F9", "F21")
async def test_runs_when_a_hundred_are_made_and_valkey_fails_then_each_is_run_once(
    make_pair: MakePair, valkey: Valkey, tmp_path: Path
) -> None:
    seen = await fleet_at_work(
        make_pair, valkey, tmp_path, runs=100, lease_s=NEVER_S, makes=of_valkey(valkey)
    )
    assert sum(seen["runs"].values()) == 100
    assert seen["taken_over"] == 0
    assert set(seen["at_work_on"]) == {"n1", "n2"}


@POSTGRESQL
@pytest.mark.faults
@pytest.mark.timeout(1_800)
@pytest.mark.requirement("F6", "F9", "F21")
async def test_runs_when_two_thousand_are_made_and_valkey_fails_then_each_is_run_once(
    make_pair: MakePair, valkey: Valkey, tmp_path: Path
) -> None:
    seen = await fleet_at_work(
        make_pair, valkey, tmp_path, runs=2_000, lease_s=NEVER_S, makes=of_valkey(valkey)
    )
    assert sum(seen["runs"].values()) == 2_000
    assert seen["taken_over"] == 0
    assert min(seen["at_work_on"].values()) > 100


@POSTGRESQL
@pytest.mark.faults
@pytest.mark.requirement("F1", "F21", "F22")
async def test_runs_when_nodes_are_killed_and_sleep_past_their_leases_then_none_is_lost_or_doubled(
    make_pair: MakePair, valkey: Valkey, tmp_path: Path
) -> None:
    seen = await fleet_at_work(make_pair, valkey, tmp_path, runs=400, lease_s=TTL_S, makes=of_nodes)
    assert sum(seen["runs"].values()) == 400
    assert seen["kills"] > 2
    assert seen["taken_over"] > 0
