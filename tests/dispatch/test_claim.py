"""Who gets a run: one node, in order, within a user's limit, through the indexes."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import TextClause, insert, text, update
from sqlalchemy.exc import IntegrityError

from dispatch.node import change, eventually, finishing, holding, node, queued, row_of, statuses
from homeport.dispatch import Claim, queue
from homeport.dispatch.models import RunRow
from homeport.dispatch.statements import Statements
from homeport.eventlog import EventLog
from homeport.kernel import clock
from homeport.kernel.db import Database
from homeport.kernel.ids import new_id

RUNS = 300
NODES = 4
ROUNDS = 25
MANY_NODES = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
"""For what cannot happen on SQLite, which has one node and one writer."""


@pytest.mark.requirement("F21")
async def test_claim_when_nodes_race_then_every_run_is_taken_exactly_once(
    log: EventLog, database_url: str
) -> None:
    sessions = [new_id() for _ in range(RUNS // 3)]
    ids = await queued(log.database, new_id(), sessions, runs=3)
    taken: list[Claim] = []
    async with AsyncExitStack() as nodes:
        for number in range(NODES):
            database = Database(database_url)
            nodes.push_async_callback(database.close)
            drive = finishing(EventLog(database), taken)
            await nodes.enter_async_context(node(database, drive, name=f"n{number}:a"))

        async def all_are_over() -> bool:
            return set((await statuses(log.database)).values()) == {"finished"}

        await eventually(all_are_over)
    assert Counter(claim.run_id for claim in taken) == Counter(ids)
    assert {claim.epoch for claim in taken} == {1}
    for session_id in sessions:
        assert [c.run_no for c in taken if c.session_id == session_id] == [1, 2, 3]


async def test_claim_when_an_earlier_run_is_unfinished_then_the_next_one_is_not_taken(
    database: Database,
) -> None:
    statements = Statements(database.dialect)
    first, second = await queued(database, new_id(), [new_id()], runs=2)

    async def claimed() -> list[str]:
        async with database.write() as session:
            rows = await statements.claimed(
                session, node="n1:a", ttl_ms=12_000, per_user=10, limit=32
            )
            return [row.id for row in rows]

    assert await claimed() == [first]
    for status in ("running", "waiting"):
        await change(database, first, status=status)
        assert await claimed() == []
    in_a_minute = int(clock.utc_now().timestamp() * 1000) + 60_000
    await change(database, first, status="queued", wake_at=in_a_minute)
    assert await claimed() == []
    await change(database, first, status="finished")
    assert await claimed() == [second]


async def test_rows_when_two_runs_of_a_session_were_at_work_then_the_database_refuses(
    database: Database,
) -> None:
    first, second = await queued(database, new_id(), [new_id()], runs=2)
    await change(database, first, status="waiting")
    with pytest.raises(IntegrityError):
        await change(database, second, status="running")


async def test_claim_when_a_user_has_ten_at_work_then_the_eleventh_waits(
    database: Database,
) -> None:
    greedy, modest = new_id(), new_id()
    many = await queued(database, greedy, [new_id() for _ in range(40)])
    one = await queued(database, modest, [new_id()])
    taken: list[Claim] = []
    async with node(database, holding(taken), per_user=10) as dispatcher:
        await eventually(lambda: len(taken) >= 11)
        assert Counter(claim.user_id for claim in taken) == {greedy: 10, modest: 1}
        assert one[0] in {claim.run_id for claim in taken}
        at_work = [run for run, status in (await statuses(database)).items() if status == "running"]
        assert len(at_work) == 11
        waiting = next(claim for claim in taken if claim.user_id == greedy).run_id
        await change(database, waiting, status="waiting")
        dispatcher.wake()
        await asyncio.sleep(0)
        assert len(taken) == 11  # one that waits for people counts too
        await change(database, waiting, status="finished")
        dispatcher.wake()
        await eventually(lambda: len(taken) == 12)
    assert {claim.run_id for claim in taken} <= {*many, *one}


async def test_claim_when_nodes_race_for_a_users_places_then_no_more_than_the_limit_are_taken(
    log: EventLog, database_url: str
) -> None:
    """Each round, every node claims at the same moment for a user who has three places."""
    nodes = [Database(database_url) for _ in range(NODES)]
    statements = Statements(log.database.dialect)

    async def claim(number: int) -> list[str]:
        async with nodes[number].write() as session:
            rows = await statements.claimed(
                session, node=f"n{number}:a", ttl_ms=12_000, per_user=3, limit=32
            )
            return [row.id for row in rows]

    for _ in range(ROUNDS):
        await queued(log.database, new_id(), [new_id() for _ in range(12)])
        taken = await asyncio.gather(*(claim(number) for number in range(NODES)))
        assert len([run_id for runs in taken for run_id in runs]) == 3
        async with log.database.write() as session:
            await session.execute(update(RunRow).values(status="finished"))
    for each in nodes:
        await each.close()


async def test_claim_when_a_run_goes_on_then_it_comes_before_those_that_have_not_begun(
    log: EventLog,
) -> None:
    user_id, statements = new_id(), Statements(log.database.dialect)
    sessions = [new_id() for _ in range(3)]
    first, second, third = await queued(log.database, user_id, sessions)
    await change(log.database, second, wake_at=1)
    await change(log.database, third, status="waiting", wake_at=2)
    async with log.unit(f"session:{sessions[2]}") as unit:
        assert await queue.resume(unit, third)
        assert not await queue.resume(unit, first)
    await change(log.database, first, wake_at=1)
    async with log.database.write() as session:
        rows = await statements.claimed(session, node="n1:a", ttl_ms=12_000, per_user=1, limit=32)
    assert [row.id for row in rows] == [third]


@MANY_NODES
async def test_claim_when_a_node_stands_still_in_it_then_other_users_are_not_held_up(
    database: Database, database_url: str
) -> None:
    statements, other = Statements(database.dialect), Database(database_url)
    (stuck,) = await queued(database, new_id(), [new_id()])
    values = {"ttl_ms": 12_000, "per_user": 1, "limit": 32}
    async with other.write() as frozen:
        held = await statements.claimed(frozen, node="n1:a", **values)
        assert [row.id for row in held] == [stuck]
        (free,) = await queued(database, new_id(), [new_id()])
        async with database.write() as session:
            rows = await statements.claimed(session, node="n2:a", **values)
        assert [row.id for row in rows] == [free]
    await other.close()


@pytest.mark.parametrize(
    ("statement", "indexes"),
    [
        ("claim", {"ix_runs_due", "ix_runs_leased", "ix_runs_unfinished", "ix_runs_users_at_work"}),
        ("pending", {"ix_runs_due", "ix_runs_leased"}),
    ],
)
async def test_plan_when_many_runs_are_finished_then_the_partial_indexes_are_used(
    database: Database, statement: str, indexes: set[str]
) -> None:
    query = getattr(Statements(database.dialect), statement)
    await _uses_indexes(database, query, indexes)


@MANY_NODES
async def test_plan_when_users_are_locked_then_the_partial_indexes_are_used(
    database: Database,
) -> None:
    query = Statements(database.dialect).lock_users
    assert query is not None
    indexes = {"ix_runs_due", "ix_runs_unfinished", "ix_runs_users_at_work"}
    await _uses_indexes(database, query, indexes)


async def test_claim_when_many_runs_are_finished_then_the_due_one_is_found(
    database: Database,
) -> None:
    await _finished(database, 20_000)
    (due,) = await queued(database, new_id(), [new_id()])
    taken: list[Claim] = []
    async with node(database, holding(taken)):
        await eventually(lambda: [claim.run_id for claim in taken] == [due])
    assert (await row_of(database, due)).epoch == 1


async def _uses_indexes(database: Database, query: TextClause, indexes: set[str]) -> None:
    await _finished(database, 20_000)
    user_id = new_id()
    await queued(database, user_id, [new_id() for _ in range(5)], runs=2)
    values = {"node": "n1:a", "ttl": 12_000, "limit": 32, "per_user": 10, "key": 1}
    explain = "EXPLAIN " if database.dialect == "postgresql" else "EXPLAIN QUERY PLAN "
    async with database.write() as session:
        if database.dialect == "postgresql":
            await session.execute(text("ANALYZE runs"))
        given: dict[str, object] = {**values, "users": [user_id]}
        used = {name: value for name, value in given.items() if f":{name}" in query.text}
        plan = await session.execute(text(explain + query.text), used)
        lines = [" ".join(map(str, row)) for row in plan]
    shown = "\n".join(lines)
    assert {index for index in indexes if index in shown} == indexes, shown
    full = ("Seq Scan on runs", "SCAN runs", "SCAN r ", "SCAN d ", "SCAN w ", "SCAN e ")
    for line in lines:
        whole = any(word in f"{line} " for word in full)
        assert not whole or "USING" in line or "_pkey" in line, shown


async def _finished(database: Database, count: int) -> None:
    now, user_id = clock.utc_now(), new_id()
    rows = [
        {
            "id": new_id(),
            "session_id": new_id(),
            "user_id": user_id,
            "run_no": 1,
            "status": "finished",
            "outcome": "completed",
            "epoch": 1,
            "wake_at": 0,
            "lease_until": 0,
            "stopping": False,
            "queued_seq": 0,
            "finished_seq": 0,
            "created_at": now,
            "finished_at": now,
        }
        for _ in range(count)
    ]
    async with database.write() as session:
        await session.execute(insert(RunRow), rows)
