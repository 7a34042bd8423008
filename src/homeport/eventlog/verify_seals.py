"""Judges seals: by their signatures, by the log that they sealed, and by their anchors."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import or_, select

from homeport.eventlog.chain import Finding
from homeport.eventlog.models import EventRow, SealedHeadRow, SealRow, StreamRow
from homeport.eventlog.report import Report
from homeport.eventlog.seal import NOTHING, Seal, SealedHead, root_of
from homeport.eventlog.sealer import AnySession, as_written, head_of, seal_of, seals_after

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
        place = as_written(name, str), as_written(seq, int)
        report.add(Finding("sealed-head", *place, f"seal {seal_id} has sealed it, and it {how}"))


async def judge_seals(session: AnySession, report: Report, trusted: Collection[bytes]) -> None:
    """The seals follow on each other, each is signed, and the newest by a key that is trusted."""
    before: Seal | None = None
    while seals := await seals_after(session, before.id if before else 0, limit=AT_ONCE):
        heads = await _heads(session, seals[0].id, seals[-1].id)
        for seal in seals:
            judge_link(report, seal, before)
            judge_signature(report, seal)
            judge_root(report, seal, heads.get(seal.id, []))
            before = seal
        report.seals += len(seals)
    report.last_seal = before
    judge_key(report, trusted)


async def judge_anchors(session: AnySession, report: Report, anchors: Sequence[Seal]) -> None:
    """Every anchor is a seal of the database."""
    for start in range(0, len(anchors), AT_ONCE):
        some = anchors[start : start + AT_ONCE]
        query = select(SealRow).where(SealRow.id.in_([each.id for each in some]))
        stored = {row.id: seal_of(row) for row in await session.scalars(query)}
        for anchor in some:
            judge_anchor(report, anchor, stored.get(anchor.id))
    report.anchors = len(anchors)


def judge_anchor(report: Report, anchor: Seal, stored: Seal | None) -> None:
    """The anchor is the seal of its number."""
    if not anchor.is_signed():
        detail = "the anchor itself is not signed: the file was changed"
    elif stored is None:
        detail = "it is anchored and not among the seals: history was cut"
    elif stored != anchor:
        detail = "it is anchored as another one: history was written anew"
    else:
        return
    report.add(Finding("anchor", None, anchor.id, detail))


def judge_key(report: Report, trusted: Collection[bytes]) -> None:
    """The newest seal, which vouches for all before it, is signed by a key that is trusted."""
    newest = report.last_seal
    if newest is not None and trusted and newest.key not in trusted:
        detail = f"it is signed by {newest.key.hex()}, which is not a key that is trusted"
        report.add(Finding("seal", None, newest.id, detail))


def judge_link(report: Report, seal: Seal, before: Seal | None) -> None:
    """The seal follows on the one before it, which is none for the first."""
    if seal.id != (before.id if before else 0) + 1:
        report.add(Finding("seal", None, seal.id, "the seals before it are missing"))
    elif seal.previous != (before.digest() if before else NOTHING):
        report.add(Finding("seal", None, seal.id, "it does not follow on the seal before it"))


def judge_signature(report: Report, seal: Seal) -> None:
    """The key that the seal names has signed it."""
    if not seal.is_signed():
        report.add(Finding("seal", None, seal.id, "its signature is wrong"))


def judge_root(report: Report, seal: Seal, heads: Sequence[SealedHead]) -> None:
    """The seal was made over these heads."""
    if len(heads) != seal.heads or root_of(heads) != seal.root:
        detail = "the heads beside it are not those that were sealed"
        report.add(Finding("seal", None, seal.id, detail))


async def _heads(session: AnySession, first: int, last: int) -> dict[int, list[SealedHead]]:
    head = SealedHeadRow
    query = select(head.seal_id, head.stream, head.seq, head.hash)
    found: dict[int, list[SealedHead]] = {}
    rows = await session.execute(query.where(head.seal_id.between(first, last)))
    for seal_id, stream, seq, digest in rows:
        found.setdefault(seal_id, []).append(head_of(stream, seq, digest))
    return found
