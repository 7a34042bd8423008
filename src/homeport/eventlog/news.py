"""What the database has beyond what feeds know: one snapshot and two statements for any number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.eventlog.read import OpenMessage
from homeport.eventlog.record import Record

AHEAD_RECORDS = 64
AHEAD_BYTES = 1 << 16
"""Events further ahead, and larger ones, are left to the readers that get there."""

_KNOWN = {
    "sqlite": """(SELECT json_extract(value, '$.stream') AS stream, json_extract(value, '$.head') AS
  head, json_extract(value, '$.message_id') AS message_id, json_extract(value, '$.segments') AS
  segments FROM json_each(:known)) k""",
    "postgresql": """json_to_recordset(CAST(:known AS json))
  AS k (stream text, head bigint, message_id text, segments bigint)""",
}
_HEADS = """
SELECT s.name, s.head_seq, o.message_id, o.started_seq, o.epoch, g.body
FROM {known} JOIN streams s ON s.name = k.stream
LEFT JOIN open_messages o ON o.stream_id = s.id
LEFT JOIN message_segments g ON g.stream_id = o.stream_id
  AND g.ordinal >= CASE WHEN o.message_id = k.message_id THEN k.segments ELSE 0 END
ORDER BY s.name, g.ordinal
"""
_RECORDS = """
SELECT s.name, e.seq, e.kind, e.version, e.at, e.actor, e.bounds, p.payload
FROM {known} JOIN streams s ON s.name = k.stream
JOIN events e ON e.stream_id = s.id AND e.seq > k.head AND e.seq <= k.head + :records
JOIN event_payloads p ON p.stream_id = e.stream_id AND p.seq = e.seq
WHERE length(p.payload) <= :bytes ORDER BY s.name, e.seq
"""


def _ready(statement: str) -> dict[str, TextClause]:
    return {dialect: text(statement.format(known=known)) for dialect, known in _KNOWN.items()}


_heads = _ready(_HEADS)
_records = _ready(_RECORDS)


@dataclass(frozen=True, slots=True)
class Known:
    """What a feed has.

    Attributes:
        head: The newest `seq` that it has heard of.
        message_id: The message that is open there, if any.
        segments: Rows of the store that are contained in its text.
    """

    stream: str
    head: int
    message_id: str | None
    segments: int


@dataclass(slots=True)
class News:
    """What the store has beyond it.

    Attributes:
        head: The stream's last `seq`.
        opened: The message that is open now.
        segments: Of that message, behind those that were known; all, where it was another one.
        records: Events behind the known head, as far as they are near and small.
    """

    head: int = 0
    opened: OpenMessage | None = None
    segments: list[bytes] = field(default_factory=list[bytes])
    records: list[Record] = field(default_factory=list[Record])


async def news_of(session: AsyncSession, known: Iterable[Known]) -> dict[str, News]:
    """The news of each stream, all of one moment."""
    asked = list(known)
    news = {each.stream: News() for each in asked}
    dialect = session.get_bind().dialect.name
    values: dict[str, object] = {"known": orjson.dumps([asdict(each) for each in asked]).decode()}
    moved = False
    heads = {each.stream: each.head for each in asked}
    for name, head, message_id, started_seq, epoch, body in await session.execute(
        _heads[dialect], values
    ):
        its = news[name]
        its.head = head
        moved = moved or head > heads[name]
        if message_id is not None:
            its.opened = OpenMessage(message_id, started_seq, epoch)
        if body is not None:
            its.segments.append(body)
    if moved:
        values |= {"records": AHEAD_RECORDS, "bytes": AHEAD_BYTES}
        for name, *columns in await session.execute(_records[dialect], values):
            news[name].records.append(Record(name, *columns))
    return news
