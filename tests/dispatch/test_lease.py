"""Keeping, losing and taking over a run."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest
from sqlalchemy import text

from dispatch.node import change, eventually, finishing, holding, node, queued, row_of
from homeport.dispatch import Claim, Lease, LeaseLost, queue
from homeport.dispatch.lease import fenced
from homeport.eventlog import EventLog
from homeport.eventlog.catalogue.run import RunStopRequested
from homeport.kernel import clock
from homeport.kernel.db import Database
from homeport.kernel.ids import new_id


async def test_lease_when_beaten_then_nobody_takes_the_run_over(database: Database) -> None:
    (run_id,) = await queued(database, new_id(), [new_id()])
    ours: list[Claim] = []
    theirs: list[Claim] = []
    async with (
        node(database, holding(ours), ttl=4.0),
        node(database, holding(theirs), name="n2:a", ttl=4.0),
    ):
        await eventually(lambda: len(ours) + len(theirs) == 1)
        first = (await row_of(database, run_id)).lease_until

        async def it_was_renewed_again_and_again() -> bool:
            return (await row_of(database, run_id)).lease_until > first + 1_500

        await eventually(it_was_renewed_again_and_again)
        (claim,) = ours + theirs
        assert not claim.lease.lost
    assert (await row_of(database, run_id)).epoch == 1


async def test_lease_when_the_node_is_dead_then_another_one_takes_over(
    database: Database,
) -> None:
    (run_id,) = await queued(database, new_id(), [new_id()])
    await change(database, run_id, status="running", node="dead:a", epoch=7, lease_until=1)
    taken: list[Claim] = []
    async with node(database, holding(taken), name="n2:a"):
        await eventually(lambda: bool(taken))
    assert [(claim.run_id, claim.epoch) for claim in taken] == [(run_id, 8)]
    row = await row_of(database, run_id)
    assert (row.node, row.epoch) == ("n2:a", 8)


async def test_lease_when_the_node_was_restarted_then_its_own_are_released_at_once(
    database: Database,
) -> None:
    mine, theirs = await queued(database, new_id(), [new_id(), new_id()])
    in_an_hour = int(clock.utc_now().timestamp() * 1000) + 3_600_000
    for run_id, name in ((mine, "n1:before"), (theirs, "n11:before")):
        await change(database, run_id, status="running", node=name, epoch=1, lease_until=in_an_hour)
    taken: list[Claim] = []
    async with node(database, holding(taken), name="n1:after"):
        await eventually(lambda: bool(taken))
    assert [(claim.run_id, claim.epoch) for claim in taken] == [(mine, 2)]
    assert (await row_of(database, theirs)).lease_until == in_an_hour


@pytest.mark.requirement("F22")
async def test_lease_when_another_epoch_exists_then_the_driver_is_told_and_writes_nothing(
    log: EventLog,
) -> None:
    database = log.database
    (run_id,) = await queued(database, new_id(), [new_id()])
    taken: list[Claim] = []
    ended: list[Claim] = []
    async with node(database, holding(taken, ended), ttl=1.0):
        await eventually(lambda: bool(taken))
        in_an_hour = int(clock.utc_now().timestamp() * 1000) + 3_600_000
        await change(database, run_id, epoch=2, node="n2:a", lease_until=in_an_hour)
        await eventually(lambda: bool(ended))
    claim = taken[0]
    assert claim.lease.lost
    assert not claim.lease.fresh()
    assert claim.lease.ending is None
    with pytest.raises(LeaseLost):
        async with fenced(log, claim) as unit:
            unit.append(claim.stream, RunStopRequested(run_id=run_id), actor=claim.actor)
    async with log.unit(claim.stream) as unit:
        assert unit.head(claim.stream) == 0
        for give_back in (queue.pause, queue.requeue):
            with pytest.raises(LeaseLost):
                await give_back(unit, claim)
        with pytest.raises(LeaseLost):
            await queue.finish(unit, claim, "completed", seq=1)
    assert (await row_of(database, run_id)).epoch == 2


async def test_lease_when_a_beat_is_late_then_it_is_no_longer_fresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    monkeypatch.setattr(clock, "boot_seconds", lambda: now)
    lease = Lease(ttl=12.0, begun=now)
    now = 1_008.9
    assert lease.fresh()
    now = 1_009.1  # a quarter of the TTL before its end
    assert not lease.fresh()
    lease.renew(now)
    assert lease.fresh()
    lease.lost = True
    assert not lease.fresh()


async def test_stop_when_asked_on_another_node_then_the_holder_ends_it(
    database: Database,
) -> None:
    (run_id,) = await queued(database, new_id(), [new_id()])
    taken: list[Claim] = []
    ended: list[Claim] = []
    async with node(database, holding(taken, ended)):
        await eventually(lambda: bool(taken))
        await change(database, run_id, stopping=True)
        await eventually(lambda: bool(ended))
        assert ended[0].lease.ending == "stop"


async def test_stop_when_asked_here_before_the_first_step_then_the_driver_still_hears_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str | None] = []

    async def drive(claim: Claim) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append(claim.lease.ending)

    async with node(database, drive) as dispatcher:
        began = dispatcher._begin  # pyright: ignore[reportPrivateUsage] - the moment in between

        def begin_and_stop(claim: Claim, *, stopping: bool) -> None:
            began(claim, stopping=stopping)
            dispatcher.stop(claim.run_id)

        monkeypatch.setattr(dispatcher, "_begin", begin_and_stop)
        (run_id,) = await queued(database, new_id(), [new_id()])
        dispatcher.wake()
        await eventually(lambda: bool(heard))
        assert (await row_of(database, run_id)).status == "running"
    assert heard == ["stop"]


async def test_drain_when_runs_are_held_then_they_are_told_and_the_rest_stays_queued(
    log: EventLog,
) -> None:
    database = log.database
    ids = await queued(database, new_id(), [new_id() for _ in range(3)])
    taken: list[Claim] = []

    async def drive(claim: Claim) -> None:
        taken.append(claim)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert claim.lease.ending == "drain"
            async with fenced(log, claim) as unit:
                await queue.requeue(unit, claim)

    async with node(database, drive) as dispatcher:
        await eventually(lambda: len(taken) == 3)
        await dispatcher.drain(0)
        assert dispatcher.at_work == 0
        late = await queued(database, new_id(), [new_id()])
        dispatcher.wake()
    for run_id in [*ids, *late]:
        row = await row_of(database, run_id)
        assert (row.status, row.node) == ("queued", None)
    again: list[Claim] = []
    async with node(database, finishing(log, again), name="n2:a"):
        await eventually(lambda: len(again) == 4)
    assert {claim.epoch for claim in again if claim.run_id in ids} == {2}


async def test_node_when_a_driver_dies_then_the_others_go_on(log: EventLog) -> None:
    broken, fine = await queued(log.database, new_id(), [new_id(), new_id()])
    taken: list[Claim] = []
    finish = finishing(log, taken)

    async def drive(claim: Claim) -> None:
        if claim.run_id == broken:
            _die()
        await finish(claim)

    async with node(log.database, drive) as dispatcher:
        await eventually(lambda: [claim.run_id for claim in taken] == [fine])
        await eventually(lambda: dispatcher.at_work == 0)
    assert (await row_of(log.database, broken)).status == "running"


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_node_when_every_connection_is_cut_then_it_goes_on_by_itself(
    log: EventLog, database_url: str
) -> None:
    taken: list[Claim] = []
    other = Database(database_url)
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with node(log.database, finishing(log, taken)) as dispatcher:
        for round_ in range(3):
            async with other.write() as session:
                await session.execute(cut)
            dispatcher.wake()
            await queued(other, new_id(), [new_id()])
            await eventually(lambda: len(taken) > round_)  # noqa: B023 - awaited here
    await other.close()


async def test_lease_when_it_is_in_doubt_then_whoever_shows_waits_for_the_next_beat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    monkeypatch.setattr(clock, "boot_seconds", lambda: now)
    lease = Lease(ttl=12.0, begun=now)
    await lease.certain()
    now = 5_000.0
    waiting = asyncio.create_task(lease.certain())
    await asyncio.sleep(0)
    lease.renew(now - 12.0)  # a beat that was sent long ago says nothing of now
    await asyncio.sleep(0)
    assert not waiting.done()
    lease.renew(now)
    await waiting


def _die() -> NoReturn:
    raise ValueError("a mistake of the driver's")
