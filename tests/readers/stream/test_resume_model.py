"""Resuming anywhere gives what an unbroken reader got: the reader alone, against a model."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeport.eventlog import Cursor, Event, EventLog
from homeport.eventlog.feed import Feed, LiveMessage
from homeport.eventlog.record import Record
from homeport.eventlog.text import Block
from homeport.kernel.db import Database
from homeport.readers.stream.reader import Reader
from support.facts import completed, fact, interrupted, started
from support.stories import BeginBlock, Flush, Message, Say, stories
from support.stream_client import StreamClient

STREAM = "session:s"


class Stage:
    """A stream whose every record is in its feed; readers come, are cut, and come back."""

    def __init__(self, log: EventLog, chance: random.Random) -> None:
        self.chance = chance
        self.feed = Feed(STREAM)
        self.feed.subscribers = 1
        self.records: list[Record] = []
        self.addresses: list[StreamClient] = [StreamClient()]
        self._log = log
        self._broken = StreamClient()
        self._reader = self.reader_at("0")

    def reader_at(self, cursor: str) -> Reader:
        """As `Reader.open` does, with the records at hand."""
        at = Cursor.parse(cursor)
        bounds = [each for each in self.records[: at.seq] if each.bounds is not None]
        opened = bounds[-1] if bounds and bounds[-1].bounds == "opens" else None
        message_id = None if opened is None else str(opened.event().model_dump()["message_id"])
        return Reader(self._log, self.feed, at, message_id=message_id)

    def append(self, event: Event) -> int:
        seq = len(self.records) + 1
        record = Record(STREAM, seq, event.kind, 1, seq, "system", event.bounds, event.encode())
        self.records.append(record)
        self.feed.publish([record])
        return seq

    async def look(self) -> None:
        """The broken reader may read now, be cut after some frames, and resume."""
        if self.chance.random() < 0.4:
            return
        cut = await self._broken.read(self._reader, at_most=self.chance.choice([0, 1, 2, 5, None]))
        self.addresses.append(self._broken.copy())
        if cut or self.chance.random() < 0.3:
            self._reader = self.reader_at(self._broken.cursor)

    async def end(self) -> StreamClient:
        await self._broken.read(self._reader)
        return self._broken


async def play(stage: Stage, message: Message, number: int) -> None:
    message_id = f"m{number}"
    seq = stage.append(started(message_id))
    live = LiveMessage(message_id=message_id, started_seq=seq, epoch=1, local=True)
    stage.feed.live, kept = live, list[Block]()
    for step in message.steps:
        if isinstance(step, BeginBlock):
            live.blocks.append(Block(step.type))
        elif isinstance(step, Flush):
            kept = copies(live.blocks)
        elif not isinstance(step, Say):
            stage.append(fact())
        elif live.blocks:
            live.blocks[-1].add(step.text)
        stage.feed.touch()
        await stage.look()
    end = kept if message.crashes else live.blocks
    event = interrupted if message.crashes else completed
    stage.append(event([block.stored() for block in end], message_id))
    await stage.look()


def copies(blocks: list[Block]) -> list[Block]:
    made: list[Block] = []
    for block in blocks:
        made.append(Block(block.type))
        made[-1].add(block.text)
    return made


def inside(client: StreamClient, chance: random.Random) -> StreamClient:
    """A client that stands somewhere inside the text which `client` got last."""
    at = Cursor.parse(client.cursor)
    if at.block < 0 or not at.offset:
        return client.copy()
    made, offset, message = client.copy(), chance.randrange(at.offset), list(client.texts)[-1]
    made.texts[message][-1] = made.texts[message][-1][:offset]
    made.cursor = str(Cursor(at.seq, at.block, offset))
    return made


@pytest.mark.requirement("F4")
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=stories, chance=st.randoms(use_true_random=False))
async def test_reader_when_cut_and_resumed_anywhere_then_it_gets_what_an_unbroken_one_got(
    idle_log: EventLog, story: list[Message], chance: random.Random
) -> None:
    stage = Stage(idle_log, chance)
    for number, message in enumerate(story):
        await play(stage, message, number)
        stage.append(fact("between"))
        await stage.look()
    unbroken = StreamClient()
    await unbroken.read(stage.reader_at("0"))
    assert (await stage.end()).knows() == unbroken.knows()
    for known in stage.addresses:
        for client in (known.copy(), inside(known, chance)):
            await client.read(stage.reader_at(client.cursor))
            assert client.knows() == unbroken.knows()


@pytest.fixture(scope="module")
def idle_log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    """A log that is never asked: whoever did would fail on a database without tables."""
    return EventLog(Database(f"sqlite:///{tmp_path_factory.mktemp('idle')}/none.db"))
