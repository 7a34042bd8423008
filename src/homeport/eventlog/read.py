"""Reads the log: prepared SQL to records, by one keyset on (stream, seq)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.eventlog.cursor import LARGEST
from homeport.eventlog.record import ERASED, Record
from homeport.eventlog.text import Block

PAGE_RECORDS = 100
PAGE_BYTES = 1 << 20

_COLUMNS = "e.seq, e.kind, e.version, e.at, e.actor, e.bounds, COALESCE(p.payload, :erased)"
_FROM = """
FROM events e LEFT JOIN event_payloads p ON p.stream_id = e.stream_id AND p.seq = e.seq
WHERE e.stream_id = (SELECT id FROM streams WHERE name = :stream)
"""
_after = text(
    f"SELECT {_COLUMNS} {_FROM} AND e.seq > :seq AND e.seq <= :last ORDER BY e.seq LIMIT :limit"
)
_sizes = text(
    "SELECT seq, length(payload) FROM event_payloads"
    " WHERE stream_id = (SELECT id FROM streams WHERE name = :stream) AND seq > :seq"
    " ORDER BY seq LIMIT :limit"
)
_one = text(f"SELECT {_COLUMNS} {_FROM} AND e.seq = :seq")
_head = text("SELECT head_seq FROM streams WHERE name = :stream")
_standing = text(
    "SELECT s.head_seq, b.seq, p.payload, o.started_seq FROM streams s"
    " LEFT JOIN events b ON b.stream_id = s.id AND b.bounds = 'opens' AND b.seq ="
    " (SELECT e.seq FROM events e WHERE e.stream_id = s.id AND e.bounds IS NOT NULL"
    " AND e.seq <= :seq ORDER BY e.seq DESC LIMIT 1)"
    " LEFT JOIN event_payloads p ON p.stream_id = b.stream_id AND p.seq = b.seq"
    " LEFT JOIN open_messages o ON o.stream_id = s.id WHERE s.name = :stream"
)
_close = text(
    f"SELECT {_COLUMNS} {_FROM} AND e.bounds = 'closes' AND e.seq > :seq ORDER BY e.seq LIMIT 1"
)
_position = text("SELECT COALESCE(MAX(position), 0) FROM events")
_moved = text(
    "SELECT s.name, MAX(e.seq), MAX(e.position) FROM events e JOIN streams s ON s.id = e.stream_id"
    " WHERE e.position > :position GROUP BY s.name"
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


@dataclass(frozen=True, slots=True)
class Standing:
    """How a stream stands, for a reader that is about to begin.

    Attributes:
        head: The stream's last `seq`.
        opened: Where the message was opened that is open at the reader's place.
        message_id: Of that message; None when it was erased.
        writing: Whether a message is being written now.
    """

    head: int
    opened: int | None
    message_id: str | None
    writing: bool


async def standing(session: AsyncSession, stream: str, seq: int) -> Standing | None:
    """How `stream` stands for a reader at `seq`; None when nothing was ever appended to it."""
    row = (await session.execute(_standing, {"stream": stream, "seq": seq})).first()
    if row is None:
        return None
    head, opened, payload, writing = row
    message_id = None if payload is None else orjson.loads(payload)["message_id"]
    return Standing(head, opened, message_id, writing is not None)


async def head_of(session: AsyncSession, stream: str) -> int | None:
    """The last `seq`, or None when nothing was ever appended."""
    return await session.scalar(_head, {"stream": stream})


async def last_position(session: AsyncSession) -> int:
    """The position of the newest event of all streams; 0 when there is none."""
    return await session.scalar(_position) or 0


async def moved_since(session: AsyncSession, position: int) -> tuple[dict[str, int], int]:
    """The new heads of the streams with events behind `position`, and the last such position."""
    rows = (await session.execute(_moved, {"position": position})).all()
    return {name: seq for name, seq, _ in rows}, max((row[2] for row in rows), default=position)


async def records_after(
    session: AsyncSession, stream: str, seq: int, *, limit: int = PAGE_RECORDS
) -> list[Record]:
    """At most `limit` records behind `seq`, oldest first, and about 1 MiB of payload.

    One record at least, if there is any, however large it is.
    """
    sizes = await session.execute(_sizes, {"stream": stream, "seq": seq, "limit": limit})
    total, last, none = 0, LARGEST, True
    for at, size in sizes:
        total += size
        if total > PAGE_BYTES and not none:
            last = at - 1
            break
        none = False
    if none:  # what was erased is never the end of a stream: that it was erased comes behind it
        return []
    values = {"seq": seq, "last": last, "limit": limit}
    return await _records(session, _after, stream, values)


async def record_at(session: AsyncSession, stream: str, seq: int) -> Record | None:
    """The record `seq`, or None."""
    found = await _records(session, _one, stream, {"seq": seq})
    return found[0] if found else None


async def close_after(session: AsyncSession, stream: str, seq: int) -> Record | None:
    """The record that closes the message which `seq` opens, or None while it is open."""
    found = await _records(session, _close, stream, {"seq": seq})
    return found[0] if found else None


async def open_message(session: AsyncSession, stream: str) -> OpenMessage | None:
    """The message that is open now, or None."""
    row = (await session.execute(_open, {"stream": stream})).first()
    return None if row is None else OpenMessage(*row)


async def stored_blocks(
    session: AsyncSession, stream: str, blocks: list[Block], *, ordinal: int = 0
) -> int:
    """Adds what the segments from `ordinal` on hold to `blocks`; returns the next ordinal."""
    for (body,) in await session.execute(_segments, {"stream": stream, "ordinal": ordinal}):
        add_segment(blocks, body)
        ordinal += 1
    return ordinal


def add_segment(blocks: list[Block], body: bytes) -> None:
    """Adds what one segment holds to `blocks`, which hold all before it."""
    pieces: list[list[Any]] = orjson.loads(body)
    for piece in pieces:
        if len(piece) == 4:  # [block, type, id, name]: a block begins
            blocks.append(Block(piece[1], piece[2], piece[3]))
        else:
            blocks[int(piece[0])].add(str(piece[2]))


async def _records(
    session: AsyncSession, query: TextClause, stream: str, values: dict[str, int]
) -> list[Record]:
    rows = await session.execute(query, {"stream": stream, "erased": ERASED, **values})
    return [_record(stream, row) for row in rows]


def _record(stream: str, row: Row[tuple[int, str, int, int, str, str | None, bytes]]) -> Record:
    return Record(stream, *row)
