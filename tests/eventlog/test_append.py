"""The one INSERT: gapless, ordered, all or nothing, chained."""

from __future__ import annotations

import asyncio
import hashlib

import orjson
import pytest
from sqlalchemy import select

from homeport.eventlog import EventLog, read
from homeport.eventlog.models import EventRow, OpenMessageRow, PayloadRow, SegmentRow, StreamRow
from homeport.eventlog.record import Record
from support.facts import ACTOR, append, completed, fact, open_message, started

STREAM = "session:s"
OTHER = "session:t"


class Halfway(Exception):
    """Raised inside a unit."""


async def fail_halfway(log: EventLog) -> None:
    async with log.unit(STREAM) as unit:
        assert unit.append(STREAM, fact(), actor=ACTOR) == 2
        await unit.flush()
        raise Halfway


async def records(log: EventLog, stream: str = STREAM, seq: int = 0) -> list[Record]:
    async with log.database.read() as session:
        return await read.records_after(session, stream, seq)


async def test_append_when_fifty_write_at_once_then_seq_has_no_gap(log: EventLog) -> None:
    numbers = await asyncio.gather(*(append(log, STREAM, fact(f"r{n}")) for n in range(50)))
    assert sorted(numbers) == list(range(1, 51))
    assert [record.seq for record in await records(log)] == list(range(1, 51))


async def test_append_when_units_hold_several_streams_then_none_waits_for_ever(
    log: EventLog,
) -> None:
    async def both(first: str, second: str) -> None:
        async with log.unit(first, second) as unit:
            unit.append(first, fact(), actor=ACTOR)
            unit.append(second, fact(), actor=ACTOR)

    pairs = [(STREAM, OTHER), (OTHER, STREAM)] * 10
    await asyncio.gather(*(both(*pair) for pair in pairs))
    assert [record.seq for record in await records(log)] == list(range(1, 21))
    assert [record.seq for record in await records(log, OTHER)] == list(range(1, 21))


async def test_unit_when_it_raises_then_nothing_is_kept_and_no_number_is_lost(
    log: EventLog,
) -> None:
    await append(log, STREAM, fact())
    with pytest.raises(Halfway):
        await fail_halfway(log)
    assert await append(log, STREAM, fact("next")) == 2
    assert [record.seq for record in await records(log)] == [1, 2]


async def test_append_when_the_unit_was_not_opened_for_the_stream_then_it_is_refused(
    log: EventLog,
) -> None:
    with pytest.raises(ValueError, match="session:t"):
        async with log.unit(STREAM) as unit:
            unit.append(OTHER, fact(), actor=ACTOR)
    assert await records(log, OTHER) == []


async def test_head_when_the_unit_has_appended_then_it_counts(log: EventLog) -> None:
    await append(log, STREAM, fact())
    async with log.unit(STREAM) as unit:
        assert unit.head(STREAM) == 1
        unit.append(STREAM, fact(), actor=ACTOR)
        assert unit.head(STREAM) == 2


async def test_records_when_read_then_they_say_what_was_appended(log: EventLog) -> None:
    await append(log, STREAM, started())
    (record,) = await records(log)
    assert (record.stream, record.seq, record.kind, record.version) == (
        STREAM,
        1,
        "message.started",
        1,
    )
    assert (record.actor, record.bounds) == (ACTOR, "opens")
    assert record.event() == started()


async def test_chain_when_recomputed_from_the_rows_then_it_ends_in_the_head(log: EventLog) -> None:
    for number in range(5):
        await append(log, STREAM, fact(f"r{number}"), fact())
    async with log.database.read() as session:
        stream = (await session.scalars(select(StreamRow))).one()
        events = (await session.scalars(select(EventRow).order_by(EventRow.seq))).all()
        kept = {row.seq: row for row in await session.scalars(select(PayloadRow))}
    previous = bytes(32)
    for event in events:
        payload = kept[event.seq]
        assert hashlib.sha256(payload.salt + payload.payload).digest() == event.payload_digest
        header = [STREAM, event.seq, event.kind, event.version, event.at, event.actor]
        previous = hashlib.sha256(previous + orjson.dumps(header) + event.payload_digest).digest()
        assert previous == event.hash
    assert (stream.head_seq, stream.head_hash) == (10, previous)
    assert len({row.salt for row in kept.values()}) == 10


async def test_message_when_it_closes_then_its_segments_go_in_the_same_unit(log: EventLog) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("kept")
    await log.flush()
    async with log.database.read() as session:
        assert len((await session.scalars(select(SegmentRow))).all()) == 1
    writer.close()
    await append(log, STREAM, completed(writer.stored()))
    async with log.database.read() as session:
        assert (await session.scalars(select(SegmentRow))).all() == []
        assert (await session.scalars(select(OpenMessageRow))).all() == []


async def test_message_when_it_opens_and_closes_in_one_unit_then_none_is_open(
    log: EventLog,
) -> None:
    await append(log, STREAM, started(), completed([{"type": "text", "text": "short"}]))
    async with log.database.read() as session:
        assert await read.open_message(session, STREAM) is None


async def test_records_after_when_payloads_are_large_then_a_page_is_bounded_by_bytes(
    log: EventLog,
) -> None:
    large = [{"type": "text", "text": "x" * 700_000}]
    await append(log, STREAM, fact(), completed(large), completed(large), completed(large), fact())
    pages: list[list[int]] = []
    while page := await records(log, seq=pages[-1][-1] if pages else 0):
        pages.append([record.seq for record in page])
    assert pages == [[1, 2], [3], [4, 5]]
