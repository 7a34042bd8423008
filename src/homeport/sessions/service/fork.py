"""Forks a conversation: a new session that begins with a copy of another one up to a cursor.

Two halves: `take_copy` reads the original, before any write unit; `fork` writes the new session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from homeport.eventlog import Record, Unit, read
from homeport.eventlog.catalogue.base import Event
from homeport.eventlog.catalogue.message import (
    MessageCompleted,
    MessageInterrupted,
    MessageStarted,
)
from homeport.eventlog.catalogue.session import SessionForked
from homeport.eventlog.cursor import BadCursor, Cursor, CursorAhead
from homeport.eventlog.text import Block
from homeport.kernel.db import ReadSession
from homeport.sessions.access import stream_of
from homeport.sessions.errors import ForkTooLarge
from homeport.sessions.models import SessionRow
from homeport.sessions.service.replay import COPIED, Replay
from homeport.sessions.service.start import start

MOST_BYTES = 64 << 20
MOST_FACTS = 20_000
"""In one fork: it is one transaction, and SQLite has one writer."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What is taken over.

    Attributes:
        at: Where the original was cut.
        facts: (actor, event), oldest first, under the original's ids.
        broken_off: Blocks of the message that was open at the cut, in stored form.
    """

    at: Cursor
    facts: list[tuple[str, Event]]
    broken_off: list[dict[str, Any]]


async def take_copy(session: ReadSession, row: SessionRow, at: str | None) -> Copy:
    """Reads a conversation from where its memory begins up to the cursor `at` (None: all of it).

    Raises:
        BadCursor: `at` is no cursor of this conversation.
        CursorAhead: `at` is ahead of the conversation.
        ForkTooLarge: It is more than is copied in one transaction.
    """
    stream = stream_of(row.id)
    head = await read.head_of(session, stream) or 0
    cut = Cursor(head) if at is None else Cursor.parse(at)
    if cut.seq > head:
        raise CursorAhead(cursor=str(head))
    facts: list[tuple[str, Event]] = []
    opened: Record | None = None
    seq, size = row.begins_after, 0
    while seq < cut.seq and (page := await read.records_after(session, stream, seq)):
        seq = page[-1].seq
        for record in page:
            if record.seq > cut.seq:
                break
            if record.erased:
                _left_out(facts, record)
            elif record.kind in COPIED:
                facts.append((record.actor, record.event()))
                size += len(record.payload)
            if record.bounds is not None:
                opened = record if record.bounds == "opens" else None
        if size > MOST_BYTES or len(facts) > MOST_FACTS:
            detail = f"More than {MOST_BYTES >> 20} MiB or {MOST_FACTS:,} events would be copied."
            raise ForkTooLarge(detail)
    return Copy(cut, facts, await _broken_off(session, stream, opened, cut, whole=at is None))


async def _broken_off(
    session: ReadSession, stream: str, opened: Record | None, cut: Cursor, *, whole: bool
) -> list[dict[str, Any]]:
    """Blocks of the message that is open at the cut, up to there or as `whole` as they are."""
    if opened is None:
        if cut.block >= 0:
            raise BadCursor("No message is open at this cursor.")
        return []
    blocks = await _written(session, stream, opened)
    return blocks if whole else _until(blocks, cut)


async def fork(
    unit: Unit, origin: SessionRow, copy: Copy, *, session_id: str, name: str, actor: str
) -> None:
    """Makes the session `session_id` from `copy`; the unit is open on its stream."""
    await start(
        unit,
        session_id=session_id,
        user_id=origin.user_id,
        project_id=origin.project_id,
        name=name,
        model=origin.model,
        permission_mode=origin.permission_mode,
        system_prompt=origin.system_prompt,
        metadata=origin.metadata_,
    )
    forked = SessionForked(session_id=session_id, from_session_id=origin.id, at=str(copy.at))
    unit.append(stream_of(session_id), forked, actor=actor)
    row = await unit.session.get_one(SessionRow, session_id)
    replay = Replay(unit, row)
    for who, event in copy.facts:
        replay.add(event, actor=who)
    await replay.end(copy.broken_off, actor=actor)


async def _written(session: ReadSession, stream: str, opened: Record) -> list[dict[str, Any]]:
    """The blocks of the message that `opened` begins, as far as they are stored by now."""
    seq = opened.seq
    while page := await read.records_after(session, stream, seq):
        for record in page:
            event = record.event() if record.bounds == "closes" else None
            if isinstance(event, MessageCompleted | MessageInterrupted):
                return event.blocks
        seq = page[-1].seq
    blocks: list[Block] = []
    await read.stored_blocks(session, stream, blocks)
    return [block.stored() for block in blocks]


def _left_out(facts: list[tuple[str, Event]], record: Record) -> None:
    """What was erased is not copied, nor the beginning of a message whose end was."""
    if record.bounds != "closes":
        return
    bounds = [at for at, (_, event) in enumerate(facts) if event.bounds is not None]
    if bounds and isinstance(facts[bounds[-1]][1], MessageStarted):
        del facts[bounds[-1]]


def _until(blocks: list[dict[str, Any]], cut: Cursor) -> list[dict[str, Any]]:
    """What a reader at `cut` had seen of `blocks`."""
    if cut.block < 0:
        return []
    seen = blocks[: cut.block]
    if cut.block < len(blocks):
        last = blocks[cut.block]
        kept = {name: last[name] for name in ("type", "id", "name") if name in last}
        seen = [*seen, kept | {"text": str(last.get("text", ""))[: cut.offset]}]
    return seen
