"""Judges seals: by their signatures, by the log that they sealed, and by their anchors."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import or_, select

from homeport.eventlog.chain import Finding
from homeport.eventlog.models import EventRow, SealedHeadRow, SealRow, StreamRow
from homeport.eventlog.report import Report
from homeport.eventlog.seal import NOTHING, Seal, SealedHead, root_of
from homeport.eventlog.sealer import AnySession, seal_of, seals_after

AT_ONCE = 500


async def judge_sealed_heads(session: AnySession, report: Report, stream: str | None) -> None:
    """Every sealed head is still in the log: not cut off, and not written anew."""
    head = SealedHeadRow
    query = (
        select(head.seal_id, head.stream, head.seq, EventRow.hash.is_(None))
        .outerjoin(StreamRow, StreamRow.name == head.stream)
        .outerjoin(EventRow, (EventRow.stream_id == StreamRow.id) & (EventRow.seq == head.seq))
        .where(or_(EventRow.hash.is_(None), EventRow.hash != head.hash))
        .order_by(head.stream, head.seq)
    )
    if stream is not None:
        query = query.where(head.stream == stream)
    for seal_id, name, seq, missing in await session.execute(query):
        how = "is missing" if missing else "is another one now"
        report.add(Finding("sealed-head", name, seq, f"seal {seal_id} has sealed it, and it {how}"))


async def judge_seals(session: AnySession, report: Report, trusted: Collection[bytes]) -> None:
    """The seals follow on each other, each is signed, and the newest by a key that is trusted."""
    before: Seal | None = None
    while seals := await seals_after(session, before.id if before else 0, limit=AT_ONCE):
        heads = await _heads(session, seals[0].id, seals[-1].id)
        for seal in seals:
            for detail in _faults(seal, before, heads.get(seal.id, [])):
                report.add(Finding("seal", None, seal.id, detail))
            before = seal
        report.seals += len(seals)
    report.last_seal = before
    if before is not None and trusted and before.key not in trusted:
        detail = f"it is signed by {before.key.hex()}, which is not this installation's key"
        report.add(Finding("seal", None, before.id, detail))


async def judge_anchors(session: AnySession, report: Report, anchors: Sequence[Seal]) -> None:
    """Every anchor is a seal of the database."""
    for start in range(0, len(anchors), AT_ONCE):
        some = anchors[start : start + AT_ONCE]
        query = select(SealRow).where(SealRow.id.in_([each.id for each in some]))
        stored = {row.id: seal_of(row) for row in await session.scalars(query)}
        for anchor in some:
            if not anchor.is_signed():
                detail = "the anchor itself is not signed: the file was changed"
            elif anchor.id not in stored:
                detail = "it is anchored and not in the database: history was cut"
            elif stored[anchor.id] != anchor:
                detail = "it is anchored as another one: history was written anew"
            else:
                continue
            report.add(Finding("anchor", None, anchor.id, detail))
    report.anchors = len(anchors)


def _faults(seal: Seal, before: Seal | None, heads: Sequence[SealedHead]) -> list[str]:
    faults: list[str] = []
    if seal.id != (before.id if before else 0) + 1:
        faults.append("the seals before it are missing")
    elif seal.previous != (before.digest() if before else NOTHING):
        faults.append("it does not follow on the seal before it")
    if not seal.is_signed():
        faults.append("its signature is wrong")
    if len(heads) != seal.heads or root_of(heads) != seal.root:
        faults.append("the heads beside it are not those that were sealed")
    return faults


async def _heads(session: AnySession, first: int, last: int) -> dict[int, list[SealedHead]]:
    head = SealedHeadRow
    query = select(head.seal_id, head.stream, head.seq, head.hash)
    found: dict[int, list[SealedHead]] = {}
    rows = await session.execute(query.where(head.seal_id.between(first, last)))
    for seal_id, stream, seq, digest in rows:
        found.setdefault(seal_id, []).append(SealedHead(stream, seq, digest))
    return found
