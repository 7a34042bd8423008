"""Open messages are stored while they stream: grouped, fenced, and never given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from sqlalchemy import event, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from homeport.eventlog import EventLog
from homeport.eventlog import segments as segments_module
from homeport.eventlog.errors import MessageFenced
from homeport.eventlog.models import SegmentRow
from homeport.kernel.db import Database
from homeport.kernel.db.failures import DatabaseUnreachable
from support import facts
from support.facts import append, complete, completed, open_message, stored_text, take_over

STREAM = "session:s"
_waiting = text("SELECT COUNT(*) FROM pg_locks WHERE NOT granted")
on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[EventLog]:
    """Another process's log on the same database."""
    database = Database(database_url)
    yield EventLog(database)
    await database.close()


async def rows_of(log: EventLog) -> list[SegmentRow]:
    async with log.database.read() as session:
        return list((await session.scalars(select(SegmentRow))).all())


async def until_stored(log: EventLog, expected: list[str], stream: str = STREAM) -> None:
    while await stored_text(log, stream) != expected:
        await asyncio.sleep(0.01)


@asynccontextmanager
async def held(database: Database) -> AsyncGenerator[None]:
    """The table of segments is locked by somebody else, as long as the block lasts."""
    async with database.write() as session:
        if database.dialect == "postgresql":
            await session.execute(text("LOCK TABLE message_segments"))
        else:
            await session.execute(text("UPDATE streams SET head_seq = head_seq"))
        yield


async def test_flush_when_many_messages_have_grown_then_it_is_one_commit(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers = [await open_message(log, f"session:{n}", f"m{n}") for n in range(20)]
    for number, writer in enumerate(writers):
        writer.block_started("text")
        writer.delta(f"of {number}")
    commits: list[int] = []
    write_statement = log.database.write_statement

    async def counted(statement: str, parameters: Mapping[str, Any]) -> None:
        commits.append(len(orjson.loads(parameters["rows"])))
        await write_statement(statement, parameters)

    monkeypatch.setattr(log.database, "write_statement", counted)
    await log.flush()
    assert commits == [20]
    for number in range(20):
        assert await stored_text(log, f"session:{number}") == [f"of {number}"]


async def test_flush_when_nothing_has_grown_then_nothing_is_written(log: EventLog) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("once")
    await log.flush()
    await log.flush()
    assert len(await rows_of(log)) == 1


async def test_segments_when_put_together_then_they_are_the_message(log: EventLog) -> None:
    writer = await open_message(log, STREAM)
    for kind, pieces in [("thinking", ["a", "\U0001f600b"]), ("text", []), ("tool_use", ['{"x"'])]:
        writer.block_started(kind, id="t" if kind == "tool_use" else None)
        await log.flush()
        for piece in pieces:
            writer.delta(piece)
            await log.flush()
    writer.delta(":1}")
    await log.flush()
    assert await stored_text(log, STREAM) == ["a\U0001f600b", "", '{"x":1}']


async def test_flusher_when_it_runs_then_it_stores_by_itself(log: EventLog) -> None:
    await log.start()
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("soon")
    await until_stored(log, ["soon"])
    writer.delta(" and more")
    await until_stored(log, ["soon and more"])
    await log.stop()


async def test_stop_when_text_is_unflushed_then_it_is_stored(log: EventLog) -> None:
    await log.start()
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("last words")
    await log.stop()
    assert await stored_text(log, STREAM) == ["last words"]


async def test_flush_when_the_message_was_closed_by_another_then_it_is_refused(
    log: EventLog, other: EventLog
) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("kept")
    await log.flush()
    writer.delta(", lost")
    assert await take_over(other, STREAM) == [{"type": "text", "text": "kept"}]
    await log.flush()
    assert await rows_of(log) == []


async def test_flush_when_the_epoch_is_lower_then_it_is_refused(log: EventLog) -> None:
    seq = await append(log, STREAM, facts.started(), epoch=2)
    late = log.open_message(STREAM, message_id="m", started_seq=seq, epoch=1)
    late.block_started("text")
    late.delta("stale")
    await log.flush()
    assert await rows_of(log) == []


async def test_flush_when_another_message_is_open_then_it_is_refused(
    log: EventLog, other: EventLog
) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("of the first")
    await take_over(other, STREAM)
    await append(other, STREAM, facts.started("m2"))
    await log.flush()
    assert await rows_of(log) == []


async def test_flusher_when_the_database_is_busy_then_the_text_is_kept_and_stored_later(
    log: EventLog, other: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments_module, "RETRY_S", 0.01)
    shorten_waits(log.database)
    await log.start()
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    failed = asyncio.Event()
    monkeypatch.setattr(segments_module, "_logger", Ears(failed))
    async with held(other.database):
        writer.delta("kept")
        await failed.wait()
        writer.delta(" while busy")
    await until_stored(log, ["kept while busy"])
    await log.stop()


async def test_flush_when_the_answer_to_a_commit_was_lost_then_the_next_one_has_each_text_once(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("first")
    monkeypatch.setattr(log.database, "write_statement", answer_lost(log.database))
    with pytest.raises(DatabaseUnreachable):
        await log.flush()
    monkeypatch.undo()
    assert await stored_text(log, STREAM) == ["first"]
    writer.delta(" second")
    await log.flush()
    await log.flush()
    assert await stored_text(log, STREAM) == ["first second"]


@on_postgresql
async def test_flush_when_a_unit_holds_the_stream_then_it_does_not_wait_for_it(
    log: EventLog,
) -> None:
    # If it did, and the unit closed the message, each would wait for the other.
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    async with log.unit(STREAM) as unit:
        await log.flush()
        unit.append(STREAM, completed(writer.stored()), actor=facts.ACTOR)
    assert await rows_of(log) == []


@on_postgresql
async def test_closing_when_a_flush_is_uncommitted_then_what_it_stored_goes_too(
    log: EventLog,
) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    rows = orjson.dumps([writer.row()]).decode()
    async with log.database.write() as session:
        await session.execute(text(segments_module.INSERT["postgresql"]), {"rows": rows})
        closing = asyncio.create_task(complete(log, STREAM, writer))
        async with log.database.read() as watcher:
            while not await watcher.scalar(_waiting):
                assert not closing.done()
    await closing
    assert await rows_of(log) == []


async def test_closing_when_flushes_come_between_then_nothing_stays(log: EventLog) -> None:
    for number in range(10):
        writer = await open_message(log, STREAM, f"m{number}")
        writer.block_started("text")
        writer.delta("text")
        flushing = asyncio.create_task(log.flush())
        await asyncio.sleep(0)
        await complete(log, STREAM, writer)
        await flushing
    assert await rows_of(log) == []


async def test_delta_when_the_lease_is_in_doubt_then_nothing_is_shown_or_stored(
    log: EventLog,
) -> None:
    seq, certain = await append(log, STREAM, facts.started()), [True]
    writer = log.open_message(
        STREAM, message_id="m", started_seq=seq, epoch=1, may_show=lambda: certain[0]
    )
    writer.block_started("text")
    certain[0] = False
    with pytest.raises(MessageFenced):
        writer.delta("stale")
    with pytest.raises(MessageFenced):
        writer.block_started("text")
    assert writer.stored() == [{"type": "text", "text": ""}]


async def test_delta_when_a_later_message_is_written_here_then_it_is_refused(log: EventLog) -> None:
    late = await open_message(log, STREAM)
    await append(log, STREAM, facts.interrupted([]))
    await open_message(log, STREAM, "m2")
    with pytest.raises(MessageFenced):
        late.block_started("text")
    with pytest.raises(MessageFenced):
        log.open_message(STREAM, message_id="m", started_seq=1, epoch=1)


async def test_delta_when_it_holds_half_a_character_then_only_its_writer_fails(
    log: EventLog,
) -> None:
    faulty = await open_message(log, STREAM)
    sound = await open_message(log, "session:t", "n")
    for writer in (faulty, sound):
        writer.block_started("text")
    with pytest.raises(UnicodeEncodeError):
        faulty.delta("\ud83d")
    sound.delta("\U0001f600")
    await log.flush()
    assert await stored_text(log, "session:t") == ["\U0001f600"]


async def test_discard_when_the_message_stays_open_then_its_feed_goes(log: EventLog) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.discard()
    assert log.feeds.find(STREAM) is None
    await log.flush()
    assert await rows_of(log) == []


async def test_message_when_closed_then_its_feed_goes(log: EventLog) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    await append(log, STREAM, completed(writer.stored()))
    assert log.feeds.find(STREAM) is None


class Ears:
    """Hears the flusher's warning."""

    def __init__(self, heard: asyncio.Event) -> None:
        self._heard = heard

    def warning(self, name: str, **_: object) -> None:
        assert name == "segments.flush-failed"
        self._heard.set()


def shorten_waits(database: Database) -> None:
    """Makes the database give up on a lock at once."""
    postgresql = database.dialect == "postgresql"
    statement = "SET lock_timeout = 50" if postgresql else "PRAGMA busy_timeout = 50"

    def prepare(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()

    event.listen(database.writer.sync_engine, "connect", prepare)


def answer_lost(database: Database) -> Callable[..., Awaitable[None]]:
    """`database.write_rows`, whose commit succeeds and says that it did not."""
    write_statement = database.write_statement

    async def lossy(*arguments: Any) -> None:
        await write_statement(*arguments)
        raise DatabaseUnreachable

    return lossy
