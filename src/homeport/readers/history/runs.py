"""The runs of a session: how they stand by their rows, what they took by the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import func, select

from homeport.dispatch.models import RunRow
from homeport.eventlog import lookup
from homeport.kernel.db import ReadSession
from homeport.kernel.http.pagination import PageRequest, paginate
from homeport.readers.history.schemas import RunPage, RunView, UsageView
from homeport.sessions.access import stream_of
from homeport.sessions.models import MessageRow, SessionRow

_USAGE = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_usd",
)


async def page(session: ReadSession, row: SessionRow, paging: PageRequest) -> RunPage:
    """A page of a session's runs, the newest first.

    Raises:
        BadCursor: The cursor is not of this list.
    """
    query = select(RunRow).where(RunRow.session_id == row.id)
    total = await session.scalar(select(func.max(RunRow.run_no)).where(RunRow.session_id == row.id))
    keys = paging.after(int)
    if keys is not None:
        query = query.where(RunRow.run_no < keys[0])
    query = query.order_by(RunRow.run_no.desc()).limit(paging.limit + 1).offset(paging.skip)
    rows = (await session.scalars(query)).all()
    cut = paginate(paging, rows, total=total or 0, key=lambda each: (each.run_no,))
    shown = await views(session, row, list(cut.items))
    return RunPage(runs=shown, session_id=row.id, **cut.fields())


async def views(session: ReadSession, row: SessionRow, runs: Sequence[RunRow]) -> list[RunView]:
    """The runs with their figures: of a finished one its last event's, else those so far."""
    stream = stream_of(row.id)
    ends = await lookup.records_at(session, [(stream, run.finished_seq) for run in runs])
    told = [ends.get((stream, run.finished_seq)) for run in runs]
    return [
        _view(run, orjson.loads(end.payload) if end else await _so_far(session, row, run.id))
        for run, end in zip(runs, told, strict=True)
    ]


async def _so_far(session: ReadSession, row: SessionRow, run_id: str) -> dict[str, Any]:
    """The sums over a run's answers; none of them is cleared away while it is unfinished."""
    seqs = await session.scalars(
        select(MessageRow.seq).where(
            MessageRow.session_id == row.id,
            MessageRow.run_id == run_id,
            MessageRow.role == "assistant",
        )
    )
    stream = stream_of(row.id)
    records = await lookup.records_at(session, [(stream, seq) for seq in seqs])
    answers = [orjson.loads(each.payload) for each in records.values() if not each.erased]
    sums = {name: sum(answer.get(name, 0) for answer in answers) for name in _USAGE}
    return {"turns": max((answer["turn"] for answer in answers), default=0), **sums}


def _view(run: RunRow, told: dict[str, Any]) -> RunView:
    return RunView(
        id=run.id,
        session_id=run.session_id,
        run_no=run.run_no,
        status=run.status,  # pyright: ignore[reportArgumentType] - checked by pydantic
        stopping=run.stopping and run.status != "finished",
        outcome=run.outcome,  # pyright: ignore[reportArgumentType]
        reason=told.get("reason"),
        detail=told.get("detail"),
        turns=told.get("turns", 0),
        usage=UsageView(
            input_tokens=told.get("input_tokens", 0),
            output_tokens=told.get("output_tokens", 0),
            cache_read_tokens=told.get("cache_read_tokens", 0),
            cache_write_tokens=told.get("cache_write_tokens", 0),
            total_cost=told.get("cost_usd", 0.0),
        ),
        created_at=run.created_at,
        finished_at=run.finished_at,
    )
