"""kill -9 in the middle of an answer: nothing acknowledged is lost, and readers come back whole."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from homeport.eventlog import EventLog, read
from homeport.eventlog.record import Record
from homeport.readers.stream.reader import Reader
from support.facts import fact, take_over
from support.stream_client import StreamClient, kind_closes

TESTS = Path(__file__).parents[2]
STREAM = "session:s"
MANY = 20
INHERITED = ("PATH", "HOME", "TMPDIR")


@dataclass
class Said:
    """What the writers of all rounds have said before they were killed."""

    events: dict[int, str] = field(default_factory=dict[int, str])
    shown: dict[str, str] = field(default_factory=dict[str, str])
    kept: dict[str, str] = field(default_factory=dict[str, str])

    def take(self, line: bytes) -> str:
        """Takes one line in; returns what it is about."""
        about, first, text = orjson.loads(line)
        if about == "event":
            assert first not in self.events, "a number was given twice"
            self.events[first] = text
        elif about in {"shown", "opened"}:
            self.shown[first] = text
        elif about == "kept":
            self.kept[first] = text
        return about


class Watch:
    """A reader in another process than the writer, which comes back with its last cursor."""

    def __init__(self, log: EventLog) -> None:
        self.client = StreamClient()
        self._log = log

    async def look(self) -> None:
        reader = await Reader.open(self._log, STREAM, self.client.cursor)
        await self.client.read(reader)
        reader.close()


async def run_and_kill(url: str, said: Said, seed: int, lines: int, watch: Watch) -> None:
    """Starts the writer, kills it after `lines` lines or within the next one, hears all it said."""
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}  # noqa: TID251
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "support.log_writer",
        url,
        STREAM,
        str(seed),
        stdout=asyncio.subprocess.PIPE,
        cwd=TESTS,
        env={**environment, "PYTHONPATH": str(TESTS)},
    )
    assert process.stdout is not None
    try:
        while True:
            line = await process.stdout.readline()
            assert line, "the writer ended by itself"
            if said.take(line) == "ready":
                break
        for number in range(lines):
            said.take(await process.stdout.readline())
            if number % 20 == 0:
                await watch.look()
    finally:
        process.send_signal(signal.SIGKILL)
        rest = await process.stdout.read()
        await process.wait()
    for line in rest.split(b"\n")[:-1]:
        said.take(line)


async def records(log: EventLog) -> AsyncIterator[Record]:
    seq = 0
    while True:
        async with log.database.read() as session:
            page = await read.records_after(session, STREAM, seq)
        if not page:
            return
        for record in page:
            yield record
        seq = page[-1].seq


async def judge(log: EventLog, said: Said, watch: Watch) -> None:
    """The log after all rounds, against what was said while it was written."""
    stored = [record async for record in records(log)]
    assert [record.seq for record in stored] == list(range(1, len(stored) + 1))
    for seq, name in said.events.items():
        assert stored[seq - 1].event() == fact(name)
    texts = {
        each["message_id"]: "".join(block["text"] for block in each["blocks"])
        for each in (orjson.loads(record.payload) for record in stored if record.bounds == "closes")
    }
    for message_id, text in said.kept.items():
        assert texts[message_id] == text
        assert said.shown.get(message_id, "").startswith(text), (
            "kept is the beginning of what was shown"
        )
    for message_id, text in said.shown.items():
        assert message_id in said.kept or texts[message_id] == text
    await watch.look()
    unbroken = Watch(log)
    await unbroken.look()
    assert watch.client.knows() == unbroken.client.knows()
    assert {key: "".join(blocks) for key, blocks in unbroken.client.texts.items()} == texts
    late_ones = previews(said, unbroken.client)
    assert late_ones or len(said.kept) < MANY, "no kill took a preview along"
    for client in late_ones:
        late = Watch(log)
        late.client = client
        await late.look()
        assert late.client.knows() == unbroken.client.knows()


def previews(said: Said, whole: StreamClient) -> list[StreamClient]:
    """Readers who stood beside a killed writer and had been shown more than was kept.

    They had all of the last block that began, and more text of it than anybody stored.
    """
    made: list[StreamClient] = []
    for message_id, kept in said.kept.items():
        lost = len(said.shown.get(message_id, "")) - len(kept)
        if lost > 0 and whole.texts[message_id]:
            client = at_the_close_of(whole, message_id)
            client.texts[message_id][-1] += "?" * lost
            seq, block, offset = client.cursor.split(".")
            client.cursor = f"{seq}.{block}.{int(offset) + lost}"
            made.append(client)
    return made


def at_the_close_of(whole: StreamClient, message_id: str) -> StreamClient:
    """What was known right before `message_id` was closed, and where one stood."""
    events = [event.get("message_id") for event in whole.events]
    close = max(index for index, each in enumerate(events) if each == message_id)
    assert kind_closes(whole.events[close]["kind"])
    client = StreamClient()
    client.events = whole.events[:close]
    known = [event["message_id"] for event in client.events if event["kind"] == "message.started"]
    client.texts = {each: list(whole.texts[each]) for each in known}
    client.types = {each: list(whole.types[each]) for each in known}
    blocks = client.texts[message_id]
    client.cursor = f"{close}.{len(blocks) - 1}.{len(blocks[-1])}"
    return client


async def kill_again_and_again(url: str, log: EventLog, *, rounds: int, seed: int) -> None:
    chance, said, watch = random.Random(seed), Said(), Watch(log)
    for number in range(rounds):
        lines = chance.choice([chance.randint(1, 20), chance.randint(20, 150)])
        await run_and_kill(url, said, seed + number, lines, watch)
    async with log.database.read() as session:
        opened = await read.open_message(session, STREAM)
    if opened is not None:
        kept = await take_over(log, STREAM)
        said.kept[opened.message_id] = "".join(block["text"] for block in kept)
    assert said.kept, "no kill hit an open message: nothing was tried"
    await judge(log, said, watch)


@pytest.mark.requirement("F1")
async def test_log_when_its_writer_is_killed_again_and_again_then_nothing_acknowledged_is_lost(
    database_url: str, log: EventLog
) -> None:
    await kill_again_and_again(database_url, log, rounds=5, seed=4_711)


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.requirement("F1")
async def test_log_when_its_writer_is_killed_a_hundred_times_then_nothing_acknowledged_is_lost(
    database_url: str, log: EventLog
) -> None:
    await kill_again_and_again(database_url, log, rounds=100, seed=815)
