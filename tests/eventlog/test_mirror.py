"""What other processes write comes to the readers here: told by wake-ups, or found by looking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from homeport.eventlog import EventLog, mirror
from homeport.eventlog.errors import MessageFenced
from homeport.eventlog.feed import RING_RECORDS, Feed
from homeport.eventlog.news import AHEAD_BYTES, AHEAD_RECORDS, Known, news_of
from homeport.kernel.db import Database
from homeport.kernel.db.failures import DatabaseUnreachable
from homeport.kernel.wakeups import Wakeups
from homeport.kernel.wakeups.redis import RedisCarrier
from homeport.readers.stream.reader import Reader
from support.facts import append, complete, fact, open_message, take_over
from support.stream_client import StreamClient
from support.valkey import Valkey
from support.wakeups import carried, eventually

STREAM = "session:s"
PATIENCE_S = 30.0


@pytest.fixture
async def wakeups(valkey: Valkey) -> AsyncIterator[Wakeups]:
    """Those of this process."""
    async with carried(RedisCarrier(valkey.url, channel="homeport:log")) as opened:
        yield opened


@pytest.fixture
async def here(
    database: Database, wakeups: Wakeups, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[EventLog]:
    """A log that never looks by itself."""
    monkeypatch.setattr(mirror, "POLL_S", 3_600.0)
    log = EventLog(database, wakeups)
    await log.start()
    yield log
    await log.stop()


@pytest.fixture
async def there(database_url: str, valkey: Valkey) -> AsyncIterator[EventLog]:
    """Another process's log on the same database."""
    database = Database(database_url)
    async with carried(RedisCarrier(valkey.url, channel="homeport:log")) as wakeups:
        log = EventLog(database, wakeups)
        await log.start()
        yield log
        await log.stop()
    await database.close()


class Client(StreamClient):
    """A client that waits."""

    async def until(self, reader: Reader, *, events: int = 0, text: str | None = None) -> None:
        """Reads until it has seen so many events, and this text as the last message's."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.events) < events or (text is not None and self._text() != text):
                await reader.wait()
                await self.read(reader)

    def _text(self) -> str:
        return "".join([*self.texts.values()][-1]) if self.texts else ""


async def test_wakeup_when_another_process_appends_then_a_reader_here_hears_of_it(
    here: EventLog, there: EventLog
) -> None:
    await append(here, STREAM, fact("1"))
    reader, client = await Reader.open(here, STREAM, "0"), Client()
    await client.read(reader)
    for name in ("2", "3"):
        await append(there, STREAM, fact(name))
        await client.until(reader, events=int(name))
    assert [event["run_id"] for event in client.events] == ["1", "2", "3"]
    reader.close()


async def test_wakeup_when_another_process_writes_a_message_then_its_text_comes_while_it_is_open(
    here: EventLog, there: EventLog
) -> None:
    await append(here, STREAM, fact("1"))
    reader, client = await Reader.open(here, STREAM, "0"), Client()
    written = ""
    for number in range(3):
        writer = await open_message(there, STREAM, f"m{number}")
        writer.block_started("text")
        written = ""
        for piece in ("one", "\U0001f600", "two"):
            writer.delta(piece)
            written += piece
            await client.until(reader, text=written)
        await complete(there, STREAM, writer)
    await client.until(reader, events=7)
    assert client.texts == {f"m{number}": [written] for number in range(3)}
    assert client.resets == 0
    reader.close()


async def test_wakeup_when_many_streams_move_then_all_of_them_are_taken_in(
    here: EventLog, there: EventLog
) -> None:
    streams = [f"session:{number}" for number in range(20)]
    for stream in streams:
        await append(here, stream, fact("1"))
    readers = [await Reader.open(here, stream, "0") for stream in streams]
    clients = [Client() for _ in streams]
    writers = [await open_message(there, stream) for stream in streams]
    for writer in writers:
        writer.block_started("text")
    for piece in ("one ", "two ", "three"):
        for writer in writers:
            writer.delta(piece)
        await there.flush()
    for client, reader in zip(clients, readers, strict=True):
        await client.until(reader, text="one two three")
        reader.close()


async def test_wakeup_when_the_message_written_here_was_taken_over_then_it_is_dropped(
    here: EventLog, there: EventLog
) -> None:
    writer = await open_message(here, STREAM)
    reader, client = await Reader.open(here, STREAM, "0"), Client()
    writer.block_started("text")
    writer.delta("kept")
    await here.flush()
    writer.delta(" or lost")
    await client.until(reader, text="kept or lost")
    kept = await take_over(there, STREAM)
    again = await open_message(there, STREAM, "again", epoch=2)
    again.block_started("text")
    again.delta("by another")
    await client.until(reader, text="by another")
    assert client.texts == {"m": [kept[0]["text"]], "again": ["by another"]}
    with pytest.raises(MessageFenced):
        writer.delta("too late")
    reader.close()


async def test_wakeup_when_it_is_untrue_then_nothing_is_shown(
    here: EventLog, there: EventLog, wakeups: Wakeups, valkey: Valkey
) -> None:
    await append(here, STREAM, fact("1"))
    reader, client = await Reader.open(here, STREAM, "0"), Client()
    await client.read(reader)
    feed = here.feeds.find(STREAM)
    assert feed is not None
    async with carried(RedisCarrier(valkey.url, channel="homeport:log")) as liar:
        for name in (STREAM, "session:none", "", "\0", "'; DROP TABLE events"):
            liar.send("stream", name)
        await append(there, STREAM, fact("2"))
        await client.until(reader, events=2)
    assert [event["run_id"] for event in client.events] == ["1", "2"]
    assert here.feeds.read() == [feed]
    reader.close()


async def test_wakeup_when_nobody_reads_the_stream_then_the_database_is_not_asked(
    here: EventLog, there: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[list[str]] = []

    async def spying(session: object, known: list[Known]) -> dict[str, object]:
        asked = list(known)
        looked.append([each.stream for each in asked])
        return await news_of(session, asked)  # pyright: ignore[reportArgumentType, reportReturnType]

    await append(here, STREAM, fact("1"))
    reader = await Reader.open(here, STREAM, "0")
    monkeypatch.setattr(mirror, "news_of", spying)
    await append(there, "session:unread", fact("1"))
    await append(there, STREAM, fact("2"))
    await eventually(lambda: bool(looked))
    assert {stream for streams in looked for stream in streams} == {STREAM}
    reader.close()


async def test_refresh_when_one_fails_then_whoever_waits_behind_it_looks_again(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(log, STREAM, fact("1"))
    await append(log, "session:t", fact("1"))
    feeds = [log.feeds.attach(stream) for stream in (STREAM, "session:t")]
    failures = iter([OSError("the line is cut")])

    async def failing(session: object, known: list[Known]) -> dict[str, object]:
        for error in failures:
            raise error
        return await news_of(session, known)  # pyright: ignore[reportArgumentType, reportReturnType]

    monkeypatch.setattr(mirror, "news_of", failing)
    outcomes = await asyncio.gather(*map(log.refresh, feeds), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OSError, type(None)]
    assert [feed.head for feed in feeds] == [1, 1]


async def test_refresh_when_a_feed_was_let_go_and_another_made_then_text_is_taken_once(
    log: EventLog, database_url: str
) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("once")
    await log.flush()
    database = Database(database_url)
    other = EventLog(database)
    gone = other.feeds.attach(STREAM)
    other.feeds.detach(gone)
    feed = other.feeds.attach(STREAM)
    await asyncio.gather(other.refresh(gone), other.refresh(feed), other.refresh(gone))
    assert gone.live is None
    assert feed.live is not None
    assert [block.text for block in feed.live.blocks] == ["once"]
    await database.close()


async def test_ring_when_an_event_is_read_before_it_is_told_then_it_is_counted_once(
    log: EventLog,
) -> None:
    feed = log.feeds.attach(STREAM)
    async with log.unit(STREAM) as unit:
        unit.append(STREAM, fact("1"), actor="system")
    for _ in range(3):
        feed.publish(unit.records)
    for seq in range(2, RING_RECORDS + 1):
        feed.publish([replace(unit.records[0], seq=seq)])
    assert feed.record(1) is not None
    bytes_each = len(unit.records[0].payload)
    assert feed._ring_bytes == RING_RECORDS * bytes_each  # pyright: ignore[reportPrivateUsage]


async def test_news_when_a_feed_is_far_behind_then_it_gets_the_near_and_small_events_only(
    log: EventLog,
) -> None:
    await append(log, STREAM, fact("x" * (AHEAD_BYTES + 1)), *(fact(str(n)) for n in range(200)))
    async with log.database.read() as session:
        news = await news_of(session, [Known(STREAM, 0, None, 0), Known("session:no", 0, None, 0)])
    assert news[STREAM].head == 201
    assert [record.seq for record in news[STREAM].records] == [*range(2, AHEAD_RECORDS + 1)]
    assert (news["session:no"].head, news["session:no"].records) == (0, [])


async def test_refresh_when_nothing_is_new_then_nobody_is_woken(log: EventLog) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    await log.flush()
    other = EventLog(log.database)
    feed: Feed = other.feeds.attach(STREAM)
    await other.refresh(feed)
    version = feed.version
    await other.refresh(feed)
    assert feed.version == version
    writer.delta("new")
    await log.flush()
    await other.refresh(feed)
    assert feed.version > version


async def test_looking_when_another_reader_failed_to_open_then_the_first_still_gets_the_text(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Database(database_url)
    here, there = EventLog(database), EventLog(other)  # nothing tells the one of the other
    await here.start()
    await append(here, STREAM, fact("1"))
    reader, client = await Reader.open(here, STREAM, "0"), Client()
    await client.read(reader)
    writer = await open_message(there, STREAM, "m")
    writer.block_started("text")
    writer.delta("Ahoy")
    await there.flush()

    async def unreachable(_: Feed) -> None:
        raise DatabaseUnreachable

    with monkeypatch.context() as patched:
        patched.setattr(here, "refresh", unreachable)
        with pytest.raises(DatabaseUnreachable):
            await Reader.open(here, STREAM, "0")
    await client.until(reader, text="Ahoy")
    reader.close()
    await here.stop()
    await other.close()
