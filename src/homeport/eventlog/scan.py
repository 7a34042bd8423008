"""All events in the order of their streams, page by page: for whoever judges or exports them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from sqlalchemy import Row, text

from homeport.kernel.db import ReadSession, WriteSession

ROWS = 4_000
BYTES = 16 << 20
"""Of payload in one page, about; one of long texts has fewer rows than `ROWS`."""
_page = text(
    "SELECT e.stream_id, e.position, e.seq, e.kind, e.version, e.at, e.actor, e.bounds,"
    " e.payload_digest, e.hash, p.salt, p.payload"
    " FROM events e JOIN streams s ON s.id = e.stream_id"
    " LEFT JOIN event_payloads p ON p.stream_id = e.stream_id AND p.seq = e.seq"
    " WHERE (e.stream_id, e.seq) > (:stream, :seq) AND e.stream_id <= :last"
    " AND e.position >= :position ORDER BY e.stream_id, e.seq LIMIT :limit"
)
Progress = Callable[[int, int], None]
"""Told how many events were seen, of how many."""


async def scan(
    session: ReadSession | WriteSession, first: int, last: int, *, position: int = 0
) -> AsyncGenerator[Sequence[Row[Any]], None]:
    """The events from `position` on of the streams with the ids `first` to `last`.

    A row is the stream's id and what `chain.Stored` has behind the stream.
    """
    stream, seq, limit = first, -1, ROWS
    while True:
        values = {"stream": stream, "seq": seq, "last": last, "position": position, "limit": limit}
        page = (await session.execute(_page, values)).all()
        if not page:
            return
        yield page
        stream, seq = page[-1][0], page[-1][2]
        size = sum(len(row[-1]) for row in page if row[-1] is not None)
        limit = max(1, min(ROWS, BYTES * len(page) // max(size, 1)))
