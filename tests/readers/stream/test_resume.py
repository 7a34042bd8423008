"""Resuming anywhere gives what an unbroken reader got: on both databases, nodes, over crashes."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeport.eventlog import Cursor, EventLog
from homeport.eventlog.catalogue.session import SessionDeleted
from homeport.eventlog.cursor import BadCursor, CursorAhead
from homeport.eventlog.errors import StreamNotFound
from homeport.eventlog.segments import MessageWriter
from homeport.kernel.db import Database
from homeport.readers.stream.reader import Reader
from support.facts import append, complete, completed, fact, open_message, take_over
from support.stories import BeginBlock, Flush, Message, Say, stories
from support.stream_client import StreamClient, parsed

STREAM = "session:s"
_streams = itertools.count()


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[EventLog]:
    """Another process's log on the same database."""
    database = Database(database_url)
    yield EventLog(database)
    await database.close()


class Stage:
    """A stream that is written by one of two nodes, and whose readers are on either."""

    def __init__(self, nodes: list[EventLog], chance: random.Random) -> None:
        self.stream = f"session:{next(_streams)}"
        self.chance = chance
        self.writer, self.watcher = nodes
        self.addresses: list[StreamClient] = [StreamClient()]
        self._client = StreamClient()
        self._reader: Reader | None = None

    async def look(self) -> None:
        """The broken reader may read now, be cut after some frames, and resume on either node."""
        if self.chance.random() < 0.5:
            return
        if self._reader is None:
            node = self.chance.choice([self.writer, self.watcher])
            self._reader = await Reader.open(node, self.stream, self._client.cursor)
        elif (feed := self.watcher.feeds.find(self.stream)) is not None:
            await self.watcher.refresh(feed)
        most = self.chance.choice([0, 1, 3, None])
        cut = await self._client.read(self._reader, at_most=most)
        self.addresses.append(self._client.copy())
        if cut or self.chance.random() < 0.3:
            self.leave()

    def leave(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def crash(self, writer: MessageWriter) -> None:
        """The writing node is gone with what it knew; the other one takes over."""
        self.leave()
        writer.discard()
        self.writer, self.watcher = self.watcher, self.writer

    async def read_on(self, client: StreamClient) -> StreamClient:
        """What `client` knows when it has read all that is there."""
        reader = await Reader.open(
            self.chance.choice([self.writer, self.watcher]), *self.at(client)
        )
        await client.read(reader)
        reader.close()
        return client

    def at(self, client: StreamClient) -> tuple[str, str]:
        return self.stream, client.cursor

    async def end(self) -> StreamClient:
        self.leave()
        return await self.read_on(self._client)


async def play(stage: Stage, message: Message, number: int) -> None:
    writer = await open_message(stage.writer, stage.stream, f"m{number}")
    for step in message.steps:
        if isinstance(step, BeginBlock):
            writer.block_started(step.type)
        elif isinstance(step, Flush):
            await stage.writer.flush()
        elif not isinstance(step, Say):
            await append(stage.chance.choice([stage.writer, stage.watcher]), stage.stream, fact())
        elif writer.message.blocks:
            writer.delta(step.text)
        await stage.look()
    if message.crashes:
        stage.crash(writer)
        await take_over(stage.writer, stage.stream)
    else:
        await complete(stage.writer, stage.stream, writer)
    await stage.look()


@pytest.mark.requirement("F4")
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=stories, chance=st.randoms(use_true_random=False))
async def test_reader_when_cut_and_resumed_anywhere_then_it_gets_what_an_unbroken_one_got(
    log: EventLog, other: EventLog, story: list[Message], chance: random.Random
) -> None:
    stage = Stage([log, other], chance)
    await append(log, stage.stream, fact("first"))
    for number, message in enumerate(story):
        await play(stage, message, number)
    unbroken = await stage.read_on(StreamClient())
    assert (await stage.end()).knows() == unbroken.knows()
    for client in stage.addresses:
        assert (await stage.read_on(client)).knows() == unbroken.knows()
    assert log.feeds.find(stage.stream) is other.feeds.find(stage.stream) is None


async def test_reader_when_previews_were_lost_then_it_is_reset_and_gets_what_was_kept(
    log: EventLog, other: EventLog
) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("kept")
    await log.flush()
    writer.delta(", shown, ")
    reader, client = await Reader.open(log, STREAM, "0"), StreamClient()
    await client.read(reader)
    writer.block_started("tool_use", id="t", name="Bash")
    await client.read(reader)
    late = client.copy()
    reader.close()
    writer.discard()
    waiting = await Reader.open(other, STREAM, late.cursor)
    await late.read(waiting)
    assert late.knows() == client.knows(), "a cursor ahead inside an open message waits"
    await take_over(other, STREAM)
    await late.read(waiting)
    waiting.close()
    assert late.resets == 1
    assert late.texts == {"m": ["kept"]}


async def test_reader_when_more_was_kept_than_it_has_then_it_gets_the_rest(log: EventLog) -> None:
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("one \U0001f600 two")
    await complete(log, STREAM, writer)
    reader = await Reader.open(log, STREAM, "1.0.5")
    frames = [parsed(frame) for frame in await reader.ready()]
    reader.close()
    assert [frame["kind"] for frame in frames] == ["message.delta", "message.completed"]
    assert (frames[0]["offset"], frames[0]["text"], frames[0]["cursor"]) == (5, " two", "1.0.9")
    assert frames[1]["cursor"] == "2"


async def test_reader_when_no_cursor_is_given_then_it_begins_at_the_open_message(
    log: EventLog,
) -> None:
    await append(log, STREAM, fact(), fact())
    reader = await Reader.open(log, STREAM, None)
    assert (reader.cursor, await reader.ready()) == ("2", [])
    reader.close()
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    await append(log, STREAM, fact())
    reader = await Reader.open(log, STREAM, None)
    assert reader.cursor == "2"
    assert [frame.kind for frame in await reader.ready()] == [
        "message.started",
        "block.started",
        "run.stop_requested",
    ]
    assert reader.cursor == "4.0.0"
    reader.close()


@pytest.mark.parametrize("cursor", ["", "x", "1.0", "1.0.0.0", "-1", "01", "1.0.0 ", "\u0661"])
async def test_reader_when_the_cursor_is_malformed_then_it_is_told_so(
    log: EventLog, cursor: str
) -> None:
    await append(log, STREAM, fact())
    with pytest.raises(BadCursor):
        await Reader.open(log, STREAM, cursor)


async def test_reader_when_the_cursor_is_none_of_this_stream_then_it_is_told_so(
    log: EventLog,
) -> None:
    await append(log, STREAM, fact())
    with pytest.raises(BadCursor):
        await Reader.open(log, STREAM, "1.0.3")
    with pytest.raises(CursorAhead):
        await Reader.open(log, STREAM, "2")
    with pytest.raises(CursorAhead):
        await Reader.open(log, STREAM, "9007199254740991.0.1")
    with pytest.raises(StreamNotFound):
        await Reader.open(log, "session:none", "0")


async def test_reader_when_a_message_is_long_then_it_comes_in_bounded_batches(
    log: EventLog,
) -> None:
    text = "\U0001f600" * 200_000
    await append(log, STREAM, fact())
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    for start in range(0, len(text), 7):
        writer.delta(text[start : start + 7])
    readers = [await Reader.open(log, STREAM, "0")]
    first = await readers[0].ready()
    await complete(log, STREAM, writer)
    readers.append(await Reader.open(log, STREAM, "0"))
    for reader in readers:
        sizes = [sum(len(frame.data) for frame in first)]
        client = StreamClient()
        if reader is readers[0]:
            for frame in first:
                client.apply(parsed(frame))
        while frames := await reader.ready():
            sizes.append(sum(len(frame.data) for frame in frames))
            for frame in frames:
                client.apply(parsed(frame))
        reader.close()
        assert client.texts == {"m": [text]}
        assert max(sizes) < 64 * 1024 + 34 * 1024
        assert len(sizes) > 10


async def test_reader_when_an_event_is_the_last_of_its_stream_then_it_says_so(
    log: EventLog,
) -> None:
    await append(log, STREAM, fact(), SessionDeleted(session_id="s"))
    reader = await Reader.open(log, STREAM, "0")
    assert not reader.over
    await reader.ready()
    assert reader.over
    reader.close()


async def test_cursor_when_written_and_read_then_it_is_the_same() -> None:
    for cursor in (Cursor(0), Cursor(412), Cursor(412, 0, 0), Cursor(2**53 - 1, 3, 2**53 - 1)):
        assert Cursor.parse(str(cursor)) == cursor


async def test_closed_text_when_another_had_been_shown_more_then_it_is_what_was_kept(
    log: EventLog, other: EventLog
) -> None:
    # One reader was shown text that nobody stored; what was made for it must not reach another.
    writer = await open_message(log, STREAM)
    writer.block_started("text")
    writer.delta("kept")
    await log.flush()
    ahead = await Reader.open(log, STREAM, "1.0.2")
    writer.delta(" and lost")
    assert parsed((await ahead.ready())[0])["text"] == "pt and lost"
    writer.discard()
    await append(other, STREAM, completed([{"type": "text", "text": "kept"}]))
    behind = await Reader.open(log, STREAM, "1.0.2")
    assert parsed((await behind.ready())[0])["text"] == "pt"
    ahead.close()
    behind.close()
