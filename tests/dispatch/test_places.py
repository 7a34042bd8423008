"""Where a run begins and ends in its session's stream, also for runs from before it was noted."""

from __future__ import annotations

from dispatch.node import eventually, finishing, node, row_of
from homeport.dispatch import Claim, enqueue
from homeport.eventlog import EventLog, read
from homeport.eventlog.catalogue.run import RunFinished
from homeport.kernel.ids import new_id
from homeport.migrations import downgrade, upgrade
from support.facts import append, fact


async def test_place_when_a_run_is_queued_then_it_is_the_seq_of_its_event(log: EventLog) -> None:
    session_id = new_id()
    stream = f"session:{session_id}"
    await append(log, stream, fact(), fact())
    runs = [await _queued(log, session_id) for _ in range(2)]
    async with log.database.read() as session:
        records = await read.records_after(session, stream, 2)
    assert [record.kind for record in records] == ["run.queued", "run.queued"]
    rows = [await row_of(log.database, run_id) for run_id in runs]
    assert [(row.run_no, row.queued_seq, row.finished_seq) for row in rows] == [
        (1, 3, 0),
        (2, 4, 0),
    ]


async def test_place_when_the_schema_is_older_than_the_run_then_the_migration_finds_it(
    log: EventLog,
) -> None:
    database, session_id = log.database, new_id()
    stream = f"session:{session_id}"
    over, waits = await _queued(log, session_id), await _queued(log, session_id)
    taken: list[Claim] = []
    async with node(database, finishing(log, taken), per_user=1):
        await eventually(lambda: len(taken) == 2)
    end = await append(log, stream, fact(), RunFinished(run_id=over, status="completed"))
    await downgrade(database, "0007_idempotency")
    await upgrade(database)
    assert ((await row_of(database, over)).queued_seq, end) == (1, 4)
    assert (await row_of(database, over)).finished_seq == end
    assert (await row_of(database, waits)).queued_seq == 2
    assert (await row_of(database, waits)).finished_seq == 0


async def _queued(log: EventLog, session_id: str) -> str:
    run_id = new_id()
    async with log.unit(f"session:{session_id}") as unit:
        await enqueue(
            unit,
            run_id=run_id,
            session_id=session_id,
            user_id=session_id,
            message_id=new_id(),
            actor="user:ada",
        )
    return run_id
