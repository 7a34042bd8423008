"""Seals the log: now and then one node signs a root over the heads of what has moved.

Every node copies the seals into a file of its own, outside the database (`anchors`).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, TypeVar

import structlog
from sqlalchemy import func, insert, select

from homeport.eventlog import read
from homeport.eventlog.models import EventRow, SealedHeadRow, SealRow, StreamRow
from homeport.eventlog.seal import Seal, SealedHead, SealingKey
from homeport.kernel import clock
from homeport.kernel.db import Database, ReadSession, WriteSession, leader

EVENTS = 1_000
"""A seal is due when so many events are not sealed,"""
SECONDS = 300
"""or when there is one and the last seal is so old."""
AT_ONCE = 50_000
"""Positions that one seal covers at most; a log of an older version is sealed piece by piece."""
LEASE = "audit.seal"
LEASE_S = 30.0
AnySession = ReadSession | WriteSession
T = TypeVar("T", int, str, bytes)
_logger = structlog.get_logger(__name__)


class Sealer:
    """Makes seals. `step` is a chore of every node; the one that leads does it.

    Args:
        holder: This process, among all nodes.
        events: See `EVENTS`.
        seconds: See `SECONDS`.
    """

    def __init__(
        self,
        database: Database,
        key: SealingKey,
        *,
        holder: str,
        events: int = EVENTS,
        seconds: float = SECONDS,
    ) -> None:
        self._database = database
        self._key = key
        self._holder = holder
        self._events = events
        self._seconds = seconds

    async def step(self) -> Seal | None:
        """The seal that was due and that this node has made, if any.

        Raises:
            Unavailable: The database is busy or does not answer.
        """
        async with self._database.read() as session:
            before = await last_seal(session)
            sealed = 0 if before is None else before.position
            position = await read.last_position(session)
            if not self._due(before, position - sealed):
                return None
            position = min(position, sealed + AT_ONCE)
            heads = await _moved(session, sealed, position)
        now = int(clock.utc_now().timestamp() * 1000)
        seal = self._key.seal(heads, before=before, at=now, position=position)
        async with self._database.write() as session:
            if not await leader.hold(session, LEASE, holder=self._holder, ttl_s=LEASE_S):
                return None
            newest = await session.scalar(select(func.max(SealRow.id)))
            if (newest or 0) != seal.id - 1:
                return None  # another leader was here since
            await _write(session, seal, heads)
        _logger.info("audit.sealed", seal=seal.id, position=position, heads=len(heads))
        return seal

    def _due(self, before: Seal | None, moved: int) -> bool:
        if before is not None and before.key != self._key.public:
            return True  # the newest seal is to be signed by the present key
        if moved <= 0:
            return False
        age = float("inf") if before is None else clock.utc_now().timestamp() - before.at / 1000
        return moved >= self._events or age >= self._seconds


async def last_seal(session: ReadSession) -> Seal | None:
    """The newest seal."""
    row = await session.scalar(select(SealRow).order_by(SealRow.id.desc()).limit(1))
    return None if row is None else seal_of(row)


async def seals_after(session: AnySession, seal_id: int, *, limit: int) -> list[Seal]:
    """The seals behind one, in order."""
    query = select(SealRow).where(SealRow.id > seal_id).order_by(SealRow.id).limit(limit)
    return [seal_of(row) for row in await session.scalars(query)]


def seal_of(row: SealRow) -> Seal:
    """The seal in a row."""
    return Seal(
        id=row.id,
        at=as_written(row.at, int),
        position=as_written(row.position, int),
        heads=as_written(row.heads, int),
        root=as_written(row.root, bytes),
        previous=as_written(row.previous, bytes),
        key=as_written(row.key, bytes),
        signature=as_written(row.signature, bytes),
    )


def head_of(stream: str, seq: int, digest: bytes) -> SealedHead:
    """The sealed head of these columns."""
    return SealedHead(as_written(stream, str), as_written(seq, int), as_written(digest, bytes))


def as_written(value: object, kind: type[T]) -> T:
    """`value`, or nothing of its kind, which was sealed by nobody.

    SQLite takes a text for bytes and for a number; whoever put one there is to be found, and not
    to end the verification.
    """
    return value if isinstance(value, kind) else kind()


async def _moved(session: ReadSession, sealed: int, position: int) -> list[SealedHead]:
    """The heads at `position` of the streams with events behind `sealed`."""
    last = (
        select(EventRow.stream_id, func.max(EventRow.seq).label("seq"))
        .where(EventRow.position > sealed, EventRow.position <= position)
        .group_by(EventRow.stream_id)
        .subquery()
    )
    query = (
        select(StreamRow.name, EventRow.seq, EventRow.hash)
        .join(last, (last.c.stream_id == EventRow.stream_id) & (last.c.seq == EventRow.seq))
        .join(StreamRow, StreamRow.id == EventRow.stream_id)
    )
    return [head_of(*row) for row in await session.execute(query)]


async def _write(session: WriteSession, seal: Seal, heads: list[SealedHead]) -> None:
    await session.execute(insert(SealRow).values(**_columns(seal)))
    rows = [{"seal_id": seal.id, **_columns(head)} for head in heads]
    if rows:
        await session.execute(insert(SealedHeadRow), rows)


def _columns(thing: Seal | SealedHead) -> dict[str, Any]:
    return asdict(thing)
