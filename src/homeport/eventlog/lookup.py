"""Finds single records for those who keep an index of their own: by place, and by kind."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, String, column, func, select, values
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.eventlog.models import EventRow, PayloadRow, StreamRow
from homeport.eventlog.record import ERASED, Record

Place = tuple[str, int]
"""A stream's name and a `seq` in it."""

_PAYLOAD = func.coalesce(PayloadRow.payload, ERASED)
_HEADER = (EventRow.seq, EventRow.kind, EventRow.version, EventRow.at, EventRow.actor)


async def heads_of(session: AsyncSession, streams: list[str]) -> dict[str, int]:
    """The last `seq` of each stream that exists."""
    query = select(StreamRow.name, StreamRow.head_seq).where(StreamRow.name.in_(streams))
    return {name: seq for name, seq in await session.execute(query)}  # noqa: C416 - typed rows


async def records_at(session: AsyncSession, places: Iterable[Place]) -> dict[Place, Record]:
    """The records at `places` that exist."""
    asked = [place for place in places if place[1] > 0]
    if not asked:
        return {}
    wanted = (
        values(column("name", String), column("seq", BigInteger), name="wanted")
        .data(asked)
        .cte("wanted")
    )
    query = (
        select(StreamRow.name, *_HEADER, EventRow.bounds, _PAYLOAD)
        .select_from(wanted)
        .join(StreamRow, StreamRow.name == wanted.c.name)
        .join(EventRow, (EventRow.stream_id == StreamRow.id) & (EventRow.seq == wanted.c.seq))
        .outerjoin(
            PayloadRow,
            (PayloadRow.stream_id == EventRow.stream_id) & (PayloadRow.seq == EventRow.seq),
        )
    )
    records = [Record(*row) for row in await session.execute(query)]
    return {(record.stream, record.seq): record for record in records}


async def stored_bytes(session: AsyncSession, stream: str) -> int:
    """How much the payloads of a stream take, in bytes."""
    query = (
        select(func.sum(func.length(PayloadRow.payload)))
        .join(StreamRow, StreamRow.id == PayloadRow.stream_id)
        .where(StreamRow.name == stream)
    )
    return int(await session.scalar(query) or 0)
