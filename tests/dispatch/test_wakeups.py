"""Nodes that never look by themselves still hear of runs that are due and runs that must end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dispatch.node import change, eventually, finishing, holding, node, queued, row_of
from homeport.dispatch import Claim, dispatcher
from homeport.eventlog import EventLog
from homeport.kernel.db import Database
from homeport.kernel.ids import new_id
from homeport.kernel.wakeups import Wakeups
from homeport.kernel.wakeups.redis import RedisCarrier
from support.valkey import Valkey
from support.wakeups import carried


@pytest.fixture(autouse=True)
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks without being told."""
    monkeypatch.setattr(dispatcher, "POLL_S", 3_600.0)


@pytest.fixture
async def ours(valkey: Valkey) -> AsyncIterator[Wakeups]:
    async with carried(RedisCarrier(valkey.url, channel="homeport:runs")) as wakeups:
        yield wakeups


@pytest.fixture
async def theirs(valkey: Valkey) -> AsyncIterator[Wakeups]:
    async with carried(RedisCarrier(valkey.url, channel="homeport:runs")) as wakeups:
        yield wakeups


async def test_wake_when_this_node_claims_nothing_more_then_another_one_does(
    log: EventLog, ours: Wakeups, theirs: Wakeups
) -> None:
    taken: list[Claim] = []
    async with (
        node(log.database, holding([]), wakeups=ours) as here,
        node(log.database, finishing(log, taken), name="n2:a", wakeups=theirs),
    ):
        await here.drain(0)
        (run_id,) = await queued(log.database, new_id(), [new_id()])
        here.wake()
        await eventually(lambda: [claim.run_id for claim in taken] == [run_id])


async def test_drain_when_a_run_is_handed_back_then_another_node_goes_on_with_it(
    log: EventLog, ours: Wakeups, theirs: Wakeups
) -> None:
    held: list[Claim] = []
    taken: list[Claim] = []

    async def hand_back(claim: Claim) -> None:
        held.append(claim)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await change(log.database, claim.run_id, status="queued", lease_until=0, node=None)

    (run_id,) = await queued(log.database, new_id(), [new_id()])
    async with node(log.database, hand_back, wakeups=ours) as here:
        await eventually(lambda: bool(held))
        async with node(log.database, finishing(log, taken), name="n2:a", wakeups=theirs):
            await here.drain(0)
            await eventually(lambda: [claim.run_id for claim in taken] == [run_id])


async def test_stop_when_asked_here_then_the_node_that_holds_the_run_looks(
    database: Database, ours: Wakeups, theirs: Wakeups
) -> None:
    held: list[Claim] = []
    ended: list[Claim] = []
    (run_id,) = await queued(database, new_id(), [new_id()])
    async with node(database, holding(held, ended), name="n2:a", wakeups=theirs):
        await eventually(lambda: bool(held))
        async with node(database, holding([]), wakeups=ours) as here:
            await change(database, run_id, stopping=True)
            here.stop(run_id)
            await eventually(lambda: bool(ended))
    assert ended[0].lease.ending == "stop"


async def test_stop_when_a_wakeup_says_so_and_the_database_does_not_then_the_run_goes_on(
    database: Database, ours: Wakeups, theirs: Wakeups
) -> None:
    held: list[Claim] = []
    ended: list[Claim] = []
    (run_id,) = await queued(database, new_id(), [new_id()])
    async with node(database, holding(held, ended), wakeups=theirs):
        await eventually(lambda: bool(held))
        for name in ("", run_id):
            ours.send("run.stopping", name)
            ours.send("run.due", name)
        last: list[str] = []
        theirs.on("last", last.append)
        ours.send("last")
        await eventually(lambda: bool(last))
        await asyncio.sleep(0.2)  # it has looked by then, or it never will
        assert not ended
        assert (await row_of(database, run_id)).epoch == 1
