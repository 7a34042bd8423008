"""The log across all streams, the newest first: for whoever asks what happened, and who did it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, select

from homeport.eventlog.models import EventRow, PayloadRow, StreamRow
from homeport.eventlog.record import ERASED
from homeport.kernel.db import ReadSession

SILENT = "session:"
"""Streams that hold what people and models have said: of those the trail has the headers only."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are asked for; None is any. Moments are milliseconds since 1970."""

    stream: str | None = None
    kind: str | None = None
    actor: str | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the trail.

    Attributes:
        payload: The stored JSON object, or `ERASED`; None where it is not the trail's to tell.
    """

    position: int
    stream: str
    seq: int
    kind: str
    version: int
    at: int
    actor: str
    hash: bytes
    payload: bytes | None


async def entries(
    session: ReadSession, wanted: Wanted, *, before: int | None, limit: int, skip: int
) -> list[Entry]:
    """The events that stand before a position, the newest first."""
    columns = (EventRow.seq, EventRow.kind, EventRow.version, EventRow.at, EventRow.actor)
    query = (
        select(
            EventRow.position,
            StreamRow.name,
            *columns,
            EventRow.hash,
            case(
                (StreamRow.name.startswith(SILENT), None),
                else_=func.coalesce(PayloadRow.payload, ERASED),
            ),
        )
        .join(StreamRow, StreamRow.id == EventRow.stream_id)
        .outerjoin(
            PayloadRow,
            (PayloadRow.stream_id == EventRow.stream_id) & (PayloadRow.seq == EventRow.seq),
        )
        .where(*_which(wanted))
    )
    if before is not None:
        query = query.where(EventRow.position < before)
    query = query.order_by(EventRow.position.desc()).limit(limit).offset(skip)
    return [Entry(*row) for row in await session.execute(query)]


async def count(session: ReadSession, wanted: Wanted, *, most: int) -> int:
    """How many there are, at most `most`."""
    few = select(EventRow.position).where(*_which(wanted)).limit(most).subquery()
    return await session.scalar(select(func.count()).select_from(few)) or 0


def _which(wanted: Wanted) -> list[ColumnElement[bool]]:
    which: list[ColumnElement[bool]] = []
    if wanted.stream is not None:
        # By its id, for which there is an index; a name that is none is no id.
        ids = select(StreamRow.id).where(StreamRow.name == wanted.stream)
        which.append(EventRow.stream_id == ids.scalar_subquery())
    if wanted.kind is not None:
        which.append(EventRow.kind == wanted.kind)
    if wanted.actor is not None:
        which.append(EventRow.actor == wanted.actor)
    if wanted.since is not None:
        which.append(EventRow.at >= wanted.since)
    if wanted.until is not None:
        which.append(EventRow.at < wanted.until)
    return which
