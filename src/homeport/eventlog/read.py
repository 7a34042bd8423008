"""Reads the log: prepared SQL to records, by one keyset on (stream, seq)."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from sqlalchemy import Row, TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.eventlog.record import Record
from homeport.eventlog.text import Block

PAGE_RECORDS = 100

_COLUMNS = "e.seq, e.kind, e.version, e.at, e.actor, e.bounds, p.payload"
_FROM = """
FROM events e JOIN event_payloads p ON p.stream_id = e.stream_id AND p.seq = e.seq
WHERE e.stream_id = (SELECT id FROM streams WHERE name = :stream)
"""
_after = text(f"SELECT {_COLUMNS} {_FROM} AND e.seq > :seq ORDER BY e.seq LIMIT :limit")
_one = text(f"SELECT {_COLUMNS} {_FROM} AND e.seq = :seq")
_bound_before = text(
    f"SELECT {_COLUMNS} {_FROM} AND e.bounds IS NOT NULL AND e.seq <= :seq"
    " ORDER BY e.seq DESC LIMIT 1"
)
_head = text("SELECT head_seq FROM streams WHERE name = :stream")
_heads = text("SELECT name, head_seq FROM streams WHERE name IN :streams").bindparams(
    bindparam("streams", expanding=True)
)
_open = text(
    "SELECT o.message_id, o.started_seq, o.epoch FROM open_messages o"
    " JOIN streams s ON s.id = o.stream_id WHERE s.name = :stream"
)
_segments = text(
    "SELECT body FROM message_segments"
    " WHERE stream_id = (SELECT id FROM streams WHERE name = :stream) AND ordinal >= :ordinal"
    " ORDER BY ordinal"
)


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """The message that is being written in a stream, as the store knows it."""

    message_id: str
    started_seq: int
    epoch: int


async def head_of(session: AsyncSession, stream: str) -> int | None:
    """The last `seq`, or None when nothing was ever appended."""
    return await session.scalar(_head, {"stream": stream})


async def heads_of(session: AsyncSession, streams: list[str]) -> dict[str, int]:
    """The last `seq` of each stream that exists."""
    rows = await session.execute(_heads, {"streams": streams})
    return {row.name: row.head_seq for row in rows}


async def records_after(
    session: AsyncSession, stream: str, seq: int, *, limit: int = PAGE_RECORDS
) -> list[Record]:
    """At most `limit` records behind `seq`, oldest first."""
    return await _records(session, _after, stream, {"seq": seq, "limit": limit})


async def record_at(session: AsyncSession, stream: str, seq: int) -> Record | None:
    """The record `seq`, or None."""
    found = await _records(session, _one, stream, {"seq": seq})
    return found[0] if found else None


async def opened_at(session: AsyncSession, stream: str, seq: int) -> Record | None:
    """The `message.started` of the message that is open at `seq`, or None when none is."""
    found = await _records(session, _bound_before, stream, {"seq": seq})
    return found[0] if found and found[0].bounds == "opens" else None


async def open_message(session: AsyncSession, stream: str) -> OpenMessage | None:
    """The message that is open now, or None."""
    row = (await session.execute(_open, {"stream": stream})).first()
    return None if row is None else OpenMessage(*row)


async def stored_blocks(
    session: AsyncSession, stream: str, blocks: list[Block], *, ordinal: int = 0
) -> int:
    """Adds what the segments from `ordinal` on hold to `blocks`; returns the next ordinal."""
    for (body,) in await session.execute(_segments, {"stream": stream, "ordinal": ordinal}):
        for piece in orjson.loads(body):
            if len(piece) == 4:  # [block, type, id, name]: a block begins
                blocks.append(Block(piece[1], piece[2], piece[3]))
            else:
                blocks[piece[0]].add(str(piece[2]))
        ordinal += 1
    return ordinal


async def _records(
    session: AsyncSession, query: TextClause, stream: str, values: dict[str, int]
) -> list[Record]:
    rows = await session.execute(query, {"stream": stream, **values})
    return [_record(stream, row) for row in rows]


def _record(stream: str, row: Row[tuple[int, str, int, int, str, str | None, bytes]]) -> Record:
    return Record(stream, *row)
