"""The present of a stream: what is published here, and what other processes have written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.eventlog import EventLog, mirror
from homeport.eventlog.feed import RING_BYTES, RING_RECORDS, SHARED_BYTES, Feed, Shared
from homeport.eventlog.news import Known, News
from homeport.eventlog.record import Record
from homeport.kernel.db import Database
from homeport.readers.stream.reader import Reader
from support.facts import append, complete, completed, fact, open_message, started, take_over
from support.stream_client import StreamClient

STREAM = "session:s"


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[EventLog]:
    """Another process's log on the same database."""
    database = Database(database_url)
    yield EventLog(database)
    await database.close()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks around a hundred times a second."""
    monkeypatch.setattr(mirror, "POLL_S", 0.01)


def record(seq: int, *, bounds: str | None = None, size: int = 2) -> Record:
    return Record(STREAM, seq, "run.started", 1, 0, "system", bounds, b" " * size)


async def read_until(client: StreamClient, reader: Reader, seq: int) -> None:
    """Reads until event `seq` was seen."""
    while len(client.events) < seq:
        await reader.wait()
        await client.read(reader)


async def test_publish_when_nobody_reads_then_nothing_is_kept(log: EventLog) -> None:
    await append(log, STREAM, fact())
    assert log.feeds.find(STREAM) is None


async def test_feed_when_its_last_reader_goes_then_it_goes(log: EventLog) -> None:
    await append(log, STREAM, fact())
    first = await Reader.open(log, STREAM, "0")
    second = await Reader.open(log, STREAM, "0")
    first.close()
    assert log.feeds.find(STREAM) is not None
    second.close()
    assert log.feeds.find(STREAM) is None


async def test_feed_when_opening_a_reader_fails_then_it_goes(log: EventLog) -> None:
    with pytest.raises(Exception, match="stream"):
        await Reader.open(log, STREAM, "0")
    assert log.feeds.find(STREAM) is None


async def test_feed_when_it_mirrors_another_process_then_its_last_reader_takes_it_along(
    log: EventLog, other: EventLog
) -> None:
    await open_message(other, STREAM)
    reader = await Reader.open(log, STREAM, None)
    feed = log.feeds.find(STREAM)
    assert feed is not None
    assert feed.live is not None
    assert not feed.live.local
    reader.close()
    assert log.feeds.find(STREAM) is None


async def test_publish_when_two_units_come_in_the_other_order_then_readers_see_them_in_order(
    log: EventLog, other: EventLog
) -> None:
    await append(log, STREAM, fact("1"))
    reader, client = await Reader.open(log, STREAM, "0"), StreamClient()
    feed = log.feeds.find(STREAM)
    assert feed is not None
    async with other.unit(STREAM) as unit:
        unit.append(STREAM, fact("2"), actor="system")
    early = unit.records
    async with other.unit(STREAM) as unit:
        unit.append(STREAM, fact("3"), actor="system")
    feed.publish(unit.records)
    await client.read(reader)
    feed.publish(early)
    await client.read(reader)
    assert [event["run_id"] for event in client.events] == ["1", "2", "3"]


async def test_close_when_published_late_then_the_message_after_it_stays_open(
    log: EventLog,
) -> None:
    writer = await open_message(log, STREAM)
    writer.close()
    await append(log, STREAM, completed([]))
    later = await open_message(log, STREAM, "m2")
    feed = log.feeds.find(STREAM)
    assert feed is not None
    feed.publish([record(2, bounds="closes")])
    assert feed.live is later.message


def test_ring_when_it_overflows_then_the_oldest_go() -> None:
    feed = Feed(STREAM)
    feed.subscribers = 1
    feed.publish([record(seq) for seq in range(1, RING_RECORDS + 3)])
    assert feed.record(2) is None
    assert feed.record(3) is not None
    feed.publish([record(1_000, size=RING_BYTES)])
    assert feed.record(3) is None
    assert feed.record(1_000) is not None
    feed.publish([record(1_001, size=RING_BYTES + 1)])
    assert feed.record(1_001) is None


def test_rest_when_nothing_came_between_then_what_is_kept_goes() -> None:
    feed = Feed(STREAM)
    feed.subscribers = 1
    feed.publish([record(1)])
    feed.shared.put("key", "frame", 5)
    feed.rest()
    assert feed.record(1) is not None
    feed.rest()
    assert feed.record(1) is None
    assert feed.shared.get("key") is None


def test_shared_when_it_grows_then_it_starts_anew() -> None:
    shared = Shared()
    shared.put("a", "frame", SHARED_BYTES)
    assert shared.get("a") == "frame"
    shared.put("b", "frame", 1)
    assert (shared.get("a"), shared.get("b")) == (None, "frame")
    shared.put("c", "frame", SHARED_BYTES + 1)
    assert shared.get("c") is None


async def test_wait_when_one_reader_is_cancelled_then_the_others_are_woken(log: EventLog) -> None:
    await append(log, STREAM, fact("1"))
    readers = [await Reader.open(log, STREAM, "1") for _ in range(3)]
    for reader in readers:
        assert await reader.ready() == []
    waits = [asyncio.create_task(reader.wait()) for reader in readers]
    await asyncio.sleep(0)
    waits[1].cancel()
    await asyncio.sleep(0)
    await append(log, STREAM, fact("2"))
    await asyncio.gather(waits[0], waits[2])
    assert waits[1].cancelled()
    for reader in readers:
        reader.close()


async def test_poll_when_another_process_appends_then_a_reader_here_hears_of_it(
    log: EventLog, other: EventLog, often: None
) -> None:
    await append(log, STREAM, fact("1"))
    await log.start()
    reader, client = await Reader.open(log, STREAM, "0"), StreamClient()
    await client.read(reader)
    await append(other, STREAM, fact("2"))
    await read_until(client, reader, 2)
    assert [event["run_id"] for event in client.events] == ["1", "2"]
    reader.close()
    await log.stop()


async def test_poll_when_a_message_is_written_here_then_events_of_others_are_still_heard_of(
    log: EventLog, other: EventLog, often: None
) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    await log.start()
    reader, client = await Reader.open(log, STREAM, "0"), StreamClient()
    await client.read(reader)
    await append(other, STREAM, fact("stop"))
    await read_until(client, reader, 2)
    writer.delta("still shown")
    await client.read(reader)
    assert client.texts == {"m": ["still shown"]}
    reader.close()
    await log.stop()


async def test_poll_when_a_second_reader_heard_first_then_the_first_is_woken(
    log: EventLog, other: EventLog
) -> None:
    await append(log, STREAM, fact("1"))
    first = await Reader.open(log, STREAM, "1")
    assert await first.ready() == []
    waiting = asyncio.create_task(first.wait())
    await asyncio.sleep(0)
    await append(other, STREAM, fact("2"))
    second = await Reader.open(log, STREAM, "2")
    await waiting
    assert [frame.cursor for frame in await first.ready()] == ["2"]
    first.close()
    second.close()


async def test_mirror_when_another_process_writes_then_its_stored_text_is_read_here(
    log: EventLog, other: EventLog, often: None
) -> None:
    writer = await open_message(other, STREAM)
    await log.start()
    reader, client = await Reader.open(log, STREAM, "0"), StreamClient()
    for index, kind in enumerate(["thinking", "text"]):
        writer.block_started(kind)
        for piece in ["one", "\U0001f600", "two"]:
            writer.delta(piece)
            await other.flush()
            written = "".join(writer.stored()[index]["text"])
            while client.texts.get("m", [])[index : index + 1] != [written]:
                await reader.wait()
                await client.read(reader)
    await complete(other, STREAM, writer)
    await read_until(client, reader, 2)
    assert client.texts == {"m": ["one\U0001f600two", "one\U0001f600two"]}
    assert client.resets == 0
    reader.close()
    await log.stop()


async def test_refresh_when_called_many_times_at_once_then_text_is_taken_once(
    log: EventLog, other: EventLog
) -> None:
    writer = await open_message(other, STREAM)
    writer.block_started("text")
    await other.flush()
    reader = await Reader.open(log, STREAM, None)
    writer.delta("once")
    await other.flush()
    feed = log.feeds.find(STREAM)
    assert feed is not None
    await asyncio.gather(*(log.refresh(feed) for _ in range(5)))
    assert feed.live is not None
    assert [block.text for block in feed.live.blocks] == ["once"]
    reader.close()


async def test_refresh_when_another_closed_the_message_written_here_then_it_is_dropped(
    log: EventLog, other: EventLog
) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("kept")
    await log.flush()
    reader, client = await Reader.open(log, STREAM, None), StreamClient()
    writer.delta(", shown and lost")
    await client.read(reader)
    assert client.texts == {"m": ["kept, shown and lost"]}
    await take_over(other, STREAM)
    feed = log.feeds.find(STREAM)
    assert feed is not None
    await log.refresh(feed)
    assert feed.live is None
    await client.read(reader)
    assert client.texts == {"m": ["kept"]}
    assert client.resets == 1
    reader.close()


async def test_refresh_when_what_it_read_is_older_than_what_was_published_then_it_reads_again(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(log, STREAM, started())
    reader = await Reader.open(log, STREAM, None)
    feed = log.feeds.find(STREAM)
    assert feed is not None
    answers = iter([True])
    news_of = mirror.news_of

    async def late(session: AsyncSession, known: Iterable[Known]) -> dict[str, News]:
        news = await news_of(session, known)
        if next(answers, False):
            await append(log, STREAM, completed([]))
        return news

    monkeypatch.setattr(mirror, "news_of", late)
    await log.refresh(feed)
    assert feed.head == 2
    assert feed.live is None
    reader.close()
