"""The agent's frames over the log itself: crashes, lost previews and cuts at any moment."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.frames import Frame, parse
from homeport.eventlog import Cursor, EventLog
from homeport.gateway.openai.agent import BREAK, AgentWire
from homeport.gateway.openai.commission import Commission
from homeport.kernel.db import Database
from homeport.readers.stream.reader import Reader
from support.facts import append, complete, fact, open_message, take_over
from support.stories import BeginBlock, Flush, Message, Say, stories

_streams = itertools.count()


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[EventLog]:
    """Another process's log on the same database."""
    database = Database(database_url)
    yield EventLog(database)
    await database.close()


class Chat:
    """A client that keeps what it was sent, and comes back with the last id that it has."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.text = ""
        self._at = "1"
        self._reader: Reader | None = None
        self._wire: AgentWire | None = None

    async def look(self, log: EventLog, *, most: int | None = None, beat: bool = False) -> None:
        """Takes what is there, `most` frames of it; then the line is cut."""
        reader, wire = self._reader, self._wire
        if reader is None or wire is None:
            reader = self._reader = await Reader.open(log, self.stream, self._at)
            wire = self._wire = AgentWire(commission(self._at))
        count = 0
        while frames := await reader.ready():
            for frame in [*frames, reader.heartbeat()] if beat else frames:
                self._take(wire.take(frame))
                count += 1
                if count == most:
                    self.leave()
                    return

    def leave(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = self._wire = None

    def _take(self, body: bytes) -> None:
        for block in body.split(b"\n\n")[:-1]:
            frame: Frame = parse(block)
            self.text += frame.text
            if frame.id is not None:
                self._at = frame.id.partition("/")[2]


def commission(cursor: str) -> Commission:
    return Commission(
        session_id="s",
        project_id="p",
        model="demo",
        run_id="r",
        created=0,
        cursor=Cursor.parse(cursor),
        status="running",
        approval_id=None,
        ended=None,
        ignored=[],
    )


async def play(
    nodes: list[EventLog], chat: Chat, message: Message, number: int, chance: random.Random
) -> tuple[str, str]:
    """One message, watched now and then; what was written of its text, and what was kept."""
    writer = await open_message(nodes[0], chat.stream, f"m{number}")
    for step in message.steps:
        if isinstance(step, BeginBlock):
            writer.block_started(step.type)
        elif isinstance(step, Flush):
            await nodes[0].flush()
        elif not isinstance(step, Say):
            await append(nodes[0], chat.stream, fact())
        elif writer.message.blocks and writer.message.blocks[-1].type != "redacted_thinking":
            writer.delta(step.text)
        await glance(nodes, chat, chance)
    written = "".join(block.text for block in writer.message.blocks if block.type == "text")
    if message.crashes:
        chat.leave()
        writer.discard()
        nodes.reverse()
        kept = await take_over(nodes[0], chat.stream)
        stored = "".join(block["text"] for block in kept if block["type"] == "text")
    else:
        await complete(nodes[0], chat.stream, writer)
        stored = written
    await glance(nodes, chat, chance)
    return written, stored


async def glance(nodes: list[EventLog], chat: Chat, chance: random.Random) -> None:
    if chance.random() < 0.5:
        most, beat = chance.choice([1, 3, None]), chance.random() < 0.3
        await chat.look(nodes[0], most=most, beat=beat)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=stories, seed=st.integers(0, 2**16))
async def test_chat_when_it_is_cut_and_writers_crash_then_no_text_is_lost_or_comes_twice(
    log: EventLog, other: EventLog, story: list[Message], seed: int
) -> None:
    chance = random.Random(seed)
    nodes, chat = [log, other], Chat(f"session:{next(_streams)}")
    await append(log, chat.stream, fact("first"))
    texts = [await play(nodes, chat, each, n, chance) for n, each in enumerate(story)]
    chat.leave()
    await chat.look(nodes[0])
    chat.leave()
    played = [(*each, message.crashes) for each, message in zip(texts, story, strict=True)]
    assert explains(chat.text, played), (chat.text, played)


def explains(said: str, played: list[tuple[str, str, bool]]) -> bool:
    """Whether `said` is each message once: whole, or of a broken one at least what was kept.

    Of a preview that a crash has lost the client may have seen any part.
    """
    if not played:
        return not said
    written, stored, broken = played[0]
    for length in range(len(stored), len(written) + 1):
        for parting in ([BREAK] if length else [BREAK, ""]) if broken else [""]:
            shown = written[:length] + parting
            if said.startswith(shown) and explains(said[len(shown) :], played[1:]):
                return True
    return False


async def test_chat_when_a_preview_was_lost_then_what_was_kept_is_not_sent_again(
    log: EventLog, other: EventLog
) -> None:
    chat = Chat("session:lost")
    await append(log, chat.stream, fact("first"))
    writer = await open_message(log, chat.stream)
    writer.block_started("text")
    writer.delta("kept")
    await log.flush()
    writer.delta(", shown")
    await chat.look(log)
    assert chat.text == "kept, shown"
    chat.leave()
    writer.discard()
    await take_over(other, chat.stream)
    await chat.look(other, beat=True)
    assert chat.text == "kept, shown" + BREAK
    again = await open_message(other, chat.stream, "m2", epoch=2)
    again.block_started("text")
    again.delta("kept, whole")
    await complete(other, chat.stream, again)
    await chat.look(other)
    chat.leave()
    assert chat.text == "kept, shown" + BREAK + "kept, whole"


async def test_chat_when_only_thoughts_were_seen_of_a_broken_message_then_nothing_parts_it(
    log: EventLog,
) -> None:
    chat = Chat("session:thoughts")
    await append(log, chat.stream, fact("first"))
    writer = await open_message(log, chat.stream)
    writer.block_started("thinking")
    writer.delta("hm")
    writer.block_started("text")
    await log.flush()
    await chat.look(log)
    writer.discard()
    await take_over(log, chat.stream)
    await chat.look(log)
    chat.leave()
    assert chat.text == ""
