"""Verifies the log: every chain, every seal, and the seals against the anchors.

All of it is one snapshot, read by keyset; memory grows with the number of streams, not of events.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from homeport.eventlog.chain import Chain, Stored
from homeport.eventlog.errors import StreamNotFound
from homeport.eventlog.models import EventRow, StreamRow
from homeport.eventlog.report import Report
from homeport.eventlog.scan import Progress, scan
from homeport.eventlog.seal import Seal
from homeport.eventlog.verify_seals import judge_anchors, judge_sealed_heads, judge_seals
from homeport.kernel.db import ReadSession, WriteSession


async def verify(
    session: ReadSession | WriteSession,
    *,
    stream: str | None = None,
    anchors: Sequence[Seal] = (),
    trusted: Collection[bytes] = (),
    progress: Progress | None = None,
) -> Report:
    """Verifies all streams and seals, or one stream.

    Args:
        session: One snapshot; what changes meanwhile is not seen.
        anchors: Seals from outside the database.
        trusted: Public keys that may have signed the newest seal; empty: any.
        progress: Called now and then.

    Raises:
        StreamNotFound: There is no such stream.
        Unavailable: The database is busy or does not answer.
    """
    report = Report()
    await _judge_chains(session, report, stream, progress)
    await judge_sealed_heads(session, report, stream)
    if stream is None:
        await judge_seals(session, report, trusted)
        await judge_anchors(session, report, anchors)
    return report


async def _judge_chains(
    session: ReadSession | WriteSession, report: Report, name: str | None, progress: Progress | None
) -> None:
    query = select(StreamRow.id, StreamRow.name, StreamRow.head_seq, StreamRow.head_hash)
    query = query if name is None else query.where(StreamRow.name == name)
    streams = {row.id: _Stream(*row) for row in await session.execute(query.order_by(StreamRow.id))}
    if name is not None and not streams:
        raise StreamNotFound(f"Nothing stands on {name}.")
    counted = select(func.count()).select_from(EventRow)
    if name is not None:
        counted = counted.where(EventRow.stream_id.in_(streams))
    total = await session.scalar(counted) or 0
    chain: Chain | None = None
    async for page in scan(session, min(streams, default=0), max(streams, default=0)):
        for stream_id, *columns in page:
            stream = streams[stream_id]
            if chain is None or chain.stream != stream.name:
                chain = stream.chain = Chain(stream.name)
            for finding in chain.add(Stored(stream.name, *columns)):
                report.add(finding)
            report.erased += columns[-1] is None
        report.events += len(page)
        if progress is not None:
            progress(report.events, total)
    for each in streams.values():
        for finding in (each.chain or Chain(each.name)).end(each.head_seq, each.head_hash):
            report.add(finding)
    report.streams = len(streams)


@dataclass(slots=True)
class _Stream:
    id: int
    name: str
    head_seq: int
    head_hash: bytes
    chain: Chain | None = None
