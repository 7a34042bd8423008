"""Events for tests that need some, whatever they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from homeport.eventlog import Event, EventLog, read
from homeport.eventlog.catalogue.message import (
    MessageCompleted,
    MessageInterrupted,
    MessageStarted,
)
from homeport.eventlog.catalogue.run import RunStopRequested
from homeport.eventlog.segments import MessageWriter
from homeport.eventlog.text import Block

ACTOR = "user:0198a000-0000-7000-8000-000000000001"


def fact(name: str = "r") -> RunStopRequested:
    """A small event that bounds nothing."""
    return RunStopRequested(run_id=name)


def started(message_id: str = "m") -> MessageStarted:
    return MessageStarted(message_id=message_id, run_id="r", turn=1, model="demo")


def completed(blocks: Sequence[dict[str, Any]], message_id: str = "m") -> MessageCompleted:
    return MessageCompleted(message_id=message_id, run_id="r", turn=1, blocks=list(blocks))


def interrupted(blocks: Sequence[dict[str, Any]], message_id: str = "m") -> MessageInterrupted:
    return MessageInterrupted(
        message_id=message_id, run_id="r", turn=1, blocks=list(blocks), reason="crashed"
    )


async def append(log: EventLog, stream: str, *events: Event, epoch: int = 1) -> int:
    """Appends `events` in one unit; returns the last `seq`."""
    seq = 0
    async with log.unit(stream) as unit:
        for event in events:
            seq = unit.append(stream, event, actor=ACTOR, epoch=epoch)
    return seq


async def open_message(
    log: EventLog, stream: str, message_id: str = "m", *, epoch: int = 1
) -> MessageWriter:
    """A message that has just begun, and its writer."""
    seq = await append(log, stream, started(message_id), epoch=epoch)
    return log.open_message(stream, message_id=message_id, started_seq=seq, epoch=epoch)


async def complete(log: EventLog, stream: str, writer: MessageWriter) -> int:
    """Closes the message with all that was written."""
    writer.close()
    return await append(log, stream, completed(writer.stored(), writer.message.message_id))


async def take_over(log: EventLog, stream: str) -> list[dict[str, Any]]:
    """What a claimer does first: closes the open message with what the store has of it."""
    blocks: list[Block] = []
    async with log.unit(stream) as unit:
        opened = await read.open_message(unit.session, stream)
        assert opened is not None
        await read.stored_blocks(unit.session, stream, blocks)
        kept = [block.stored() for block in blocks]
        unit.append(stream, interrupted(kept, opened.message_id), actor=ACTOR)
    return kept


async def stored_text(log: EventLog, stream: str) -> list[str]:
    """The text of each block of the open message, as the store has it."""
    blocks: list[Block] = []
    async with log.database.read() as session:
        await read.stored_blocks(session, stream, blocks)
    return [block.text for block in blocks]
