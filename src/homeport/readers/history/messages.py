"""The page of messages: the index finds them, the log holds them, the bytes leave as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import select

from homeport.eventlog import Record, lookup, read
from homeport.eventlog.text import Block
from homeport.kernel import clock
from homeport.kernel.db import ReadSession
from homeport.kernel.http.pagination import BadCursor, PageRequest, encode_cursor
from homeport.providers.blocks import to_wire
from homeport.sessions.access import stream_of
from homeport.sessions.models import MessageRow, SessionRow

CHUNK = 50
MOST_BYTES = 8 << 20
"""Stored bytes after which a page ends early."""

_TOLD = ("stop_reason", "reason", "input_tokens", "output_tokens", "cost_usd")


async def page(
    session: ReadSession, row: SessionRow, paging: PageRequest, *, role: str | None
) -> bytes:
    """The page as JSON. `offset` is the key of its first message: no page costs more than another.

    Raises:
        BadCursor: The cursor is not of this list, or the session was cleared since.
    """
    total = _total(row, role)
    first = _first(row, paging)
    rows = await _rows(session, row, role, first=first, limit=paging.limit)
    views = await _views(session, row, rows)
    following = first + len(views)
    more = following < total and bool(views)
    return orjson.dumps(
        {
            "messages": views,
            "total": total,
            "limit": paging.limit,
            "offset": paging.skip,
            "next_cursor": encode_cursor(row.begins_after, following) if more else None,
            "total_capped": False,
            "session_id": row.id,
        }
    )


def _total(row: SessionRow, role: str | None) -> int:
    if role is None:
        return row.ordinal
    return {"user": row.user_ordinal, "assistant": row.assistant_ordinal}.get(role, 0)


def _first(row: SessionRow, paging: PageRequest) -> int:
    keys = paging.after(int, int)
    if keys is None:
        return paging.offset
    begins_after, first = keys
    if begins_after != row.begins_after or not 0 <= first < 2**31:
        raise BadCursor("The session was cleared since this page was read.", param="cursor")
    return first


async def _rows(
    session: ReadSession, row: SessionRow, role: str | None, *, first: int, limit: int
) -> Sequence[MessageRow]:
    query = select(MessageRow).where(MessageRow.session_id == row.id)
    if role is None:
        query = query.where(MessageRow.ordinal >= first).order_by(MessageRow.ordinal)
    else:
        query = query.where(MessageRow.role == role, MessageRow.role_ordinal >= first)
        query = query.order_by(MessageRow.role_ordinal)
    return (await session.scalars(query.limit(limit))).all()


async def _views(
    session: ReadSession, row: SessionRow, rows: Sequence[MessageRow]
) -> list[dict[str, Any]]:
    views: list[dict[str, Any]] = []
    stream, size = stream_of(row.id), 0
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        records = await lookup.records_at(session, [(stream, each.seq) for each in chunk])
        for each in chunk:
            record = records.get((stream, each.seq))
            size += 0 if record is None else len(record.payload)
            if views and size > MOST_BYTES:
                return views
            if record is None:
                views.append(_view(each, await _written(session, stream, each), {}))
            else:
                views.append(_closed(each, record))
    return views


async def _written(session: ReadSession, stream: str, row: MessageRow) -> list[dict[str, Any]]:
    """What is stored of a message that is being written."""
    opened = await read.open_message(session, stream)
    blocks: list[Block] = []
    if opened is not None and opened.message_id == row.id:
        await read.stored_blocks(session, stream, blocks)
    return [block.stored() for block in blocks]


def _closed(row: MessageRow, record: Record) -> dict[str, Any]:
    payload: dict[str, Any] = orjson.loads(record.payload)
    told = {name: payload[name] for name in _TOLD if name in payload}
    return _view(row, payload.get("blocks", []), told)  # none are left of an erased one


def _view(row: MessageRow, blocks: list[dict[str, Any]], told: dict[str, Any]) -> dict[str, Any]:
    said = [block["text"] for block in blocks if block["type"] == "text"]
    # A model may end a block in the middle of a sentence; a person's blocks are paragraphs.
    glue = "\n" if row.role == "user" else ""
    return {
        "id": row.id,
        "session_id": row.session_id,
        "run_id": row.run_id,
        "role": row.role,
        "content": glue.join(said),
        "blocks": [to_wire(block) for block in blocks],
        "status": row.status,
        "seq": row.seq or None,
        "token_count": row.tokens,
        "message_metadata": told,
        "created_at": clock.rfc3339(row.created_at),
    }
