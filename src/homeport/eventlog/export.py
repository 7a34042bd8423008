"""Exports the log as lines that can be verified without a database (`verify_export`).

All of it is one snapshot, read by keyset: memory grows neither with events nor with streams.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Sequence

from sqlalchemy import Row, Select, func, select

from homeport.eventlog import read
from homeport.eventlog.chain import Stored
from homeport.eventlog.envelope import GENESIS
from homeport.eventlog.errors import StreamNotFound
from homeport.eventlog.export_lines import (
    EndLine,
    EventLine,
    ExportLine,
    Line,
    SealedHeadLine,
    SealLine,
    StreamLine,
    encode,
)
from homeport.eventlog.models import EventRow, SealedHeadRow, SealRow, StreamRow
from homeport.eventlog.scan import Progress, scan
from homeport.eventlog.sealer import seals_after
from homeport.kernel import clock
from homeport.kernel.db import ReadSession

STREAMS = 500
SEALS = 100
StreamHead = Row[int, str, int, bytes]


async def export(
    session: ReadSession,
    *,
    stream: str | None = None,
    since: int | None = None,
    progress: Progress | None = None,
) -> AsyncGenerator[bytes, None]:
    """The lines of an export, some at once.

    Args:
        session: One snapshot; what changes meanwhile is not in it.
        stream: Only this one.
        since: Milliseconds since 1970; everything from the first event that is so young on.
        progress: Called now and then.

    Raises:
        StreamNotFound: There is no such stream.
        Unavailable: The database is busy or does not answer.
    """
    lines, digest = 0, hashlib.sha256()
    async for some in _records(session, stream, since, progress):
        raw = b"".join(map(encode, some))
        lines += len(some)
        digest.update(raw)
        yield raw
    yield encode(EndLine(lines=lines, digest=digest.digest()))


async def _records(
    session: ReadSession, stream: str | None, since: int | None, progress: Progress | None
) -> AsyncGenerator[list[Line], None]:
    head = select(StreamRow.id, StreamRow.name, StreamRow.head_seq, StreamRow.head_hash)
    if stream is not None:
        head = head.where(StreamRow.name == stream)
        if (await session.execute(head)).first() is None:
            raise StreamNotFound(f"Nothing stands on {stream}.")
    last = await read.last_position(session)
    position = await _first_position(session, since, last)
    before = await _seals_before(session, position)
    yield [
        ExportLine(
            at=int(clock.utc_now().timestamp() * 1000),
            stream=stream,
            since=since,
            position=last,
            first_seal=before + 1,
        )
    ]
    async for some in _seals(session, before, stream):
        yield some
    done, total = 0, await _count(session, stream, position)
    async for streams in _streams(session, head):
        async for some in _events(session, streams, position, whole=since is None):
            yield some
            done += sum(isinstance(each, EventLine) for each in some)
            if progress is not None:
                progress(done, total)


async def _first_position(session: ReadSession, since: int | None, last: int) -> int:
    if since is None:
        return 0
    query = select(func.min(EventRow.position)).where(EventRow.at >= since)
    return await session.scalar(query) or last + 1


async def _seals_before(session: ReadSession, position: int) -> int:
    """The last seal that may have sealed a head from before `position`: 0, or one too many."""
    if position == 0:
        return 0
    # A seal is over what moved since the one before it; so that one must end before `position`.
    reaching = select(func.min(SealRow.id)).where(SealRow.position >= position - 1)
    found = await session.scalar(reaching)
    return found or await session.scalar(select(func.max(SealRow.id))) or 0


async def _count(session: ReadSession, stream: str | None, position: int) -> int:
    query = select(func.count()).select_from(EventRow).where(EventRow.position >= position)
    if stream is not None:
        ids = select(StreamRow.id).where(StreamRow.name == stream)
        query = query.where(EventRow.stream_id == ids.scalar_subquery())
    return await session.scalar(query) or 0


async def _seals(
    session: ReadSession, before: int, stream: str | None
) -> AsyncGenerator[list[Line], None]:
    head = SealedHeadRow
    query = select(head.stream, head.seq, head.hash).order_by(head.stream)
    if stream is not None:
        query = query.where(head.stream == stream)
    while seals := await seals_after(session, before, limit=SEALS):
        for seal in seals:
            lines: list[Line] = [SealLine(**seal.members())]
            rows = await session.execute(query.where(head.seal_id == seal.id))
            lines += [SealedHeadLine(stream=name, seq=seq, hash=at) for name, seq, at in rows]
            yield lines
        before = seals[-1].id


async def _streams(
    session: ReadSession, head: Select[int, str, int, bytes]
) -> AsyncGenerator[Sequence[StreamHead], None]:
    last = -1
    query = head.order_by(StreamRow.id).limit(STREAMS)
    while page := (await session.execute(query.where(StreamRow.id > last))).all():
        yield page
        last = page[-1].id


async def _events(
    session: ReadSession, streams: Sequence[StreamHead], position: int, *, whole: bool
) -> AsyncGenerator[list[Line], None]:
    """The streams, each followed by its events; when not `whole`, those that have some."""
    waiting = list(reversed(streams))
    current: StreamHead | None = None
    async for page in scan(session, streams[0].id, streams[-1].id, position=position):
        lines: list[Line] = []
        for stream_id, *columns in page:
            while current is None or current.id != stream_id:
                current = waiting.pop()
                if current.id == stream_id:
                    lines.append(await _begin(session, current, columns[1]))
                elif whole:
                    lines.append(await _begin(session, current, 1))
            lines.append(_event(Stored(current.name, *columns)))
        yield lines
    if whole:
        yield [await _begin(session, each, 1) for each in reversed(waiting)]


async def _begin(session: ReadSession, stream: StreamHead, first: int) -> StreamLine:
    """The line of a stream whose first event in the export is `first`."""
    before = select(EventRow.hash).where(EventRow.stream_id == stream.id, EventRow.seq == first - 1)
    previous = GENESIS if first == 1 else await session.scalar(before)
    return StreamLine(
        stream=stream.name,
        after=first - 1 if previous is not None else 0,
        previous=previous or GENESIS,
        head_seq=stream.head_seq,
        head_hash=stream.head_hash,
    )


def _event(event: Stored) -> EventLine:
    return EventLine(**event._asdict(), erased=event.payload is None)
