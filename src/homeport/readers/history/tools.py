"""The history of tools: the index finds the calls, the log holds what went in and came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Float, case, cast, func, select, tuple_

from homeport.eventlog import Record, lookup
from homeport.kernel.db import ReadSession
from homeport.kernel.http.pagination import PageRequest, paginate
from homeport.readers.history.schemas import ToolMetrics, ToolPage
from homeport.sessions.access import stream_of
from homeport.sessions.models import ApprovalRow, SessionRow, ToolCallRow
from homeport.sessions.schemas import ToolExecution, bounded

LONGEST_MESSAGE = 2_000

_OUTPUT = ("content", "exit_code", "details")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which uses are asked for."""

    tool_type: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class _Where:
    """Where the log holds a call's two ends; 0 where it does not."""

    asked: int
    ended: int


async def page(
    session: ReadSession, row: SessionRow, paging: PageRequest, choice: Choice
) -> ToolPage:
    """A page of a session's uses of tools, the newest first.

    Raises:
        BadCursor: The cursor is not of this list.
    """
    query = select(ToolCallRow).where(*_chosen(row, choice))
    after = paging.after_id()
    if after is not None:
        query = query.where(ToolCallRow.id < after)
    query = query.order_by(ToolCallRow.id.desc()).limit(paging.limit + 1).offset(paging.skip)
    rows = (await session.scalars(query)).all()
    metrics = await _metrics(session, row, choice)
    cut = paginate(paging, rows, total=metrics.total, key=lambda each: (each.id,))
    views = await _views(session, row, list(cut.items))
    return ToolPage(executions=views, session_id=row.id, metrics=metrics, **cut.fields())


async def _metrics(session: ReadSession, row: SessionRow, choice: Choice) -> ToolMetrics:
    done = func.sum(case((ToolCallRow.status == "completed", 1), else_=0))
    failed = func.sum(case((ToolCallRow.status == "failed", 1), else_=0))
    average = func.avg(cast(ToolCallRow.duration_ms, Float))
    query = select(func.count(), done, failed, average).where(*_chosen(row, choice))
    total, completed, broken, took = (await session.execute(query)).one()
    ended = int(completed or 0) + int(broken or 0)
    return ToolMetrics(
        total=total,
        success_rate=int(completed or 0) / ended if ended else 0.0,
        average_execution_time_ms=float(took or 0.0),
    )


def _chosen(row: SessionRow, choice: Choice) -> list[ColumnElement[bool]]:
    where = [ToolCallRow.session_id == row.id]
    if choice.tool_type is not None:
        where.append(ToolCallRow.tool_type == choice.tool_type)
    if choice.status is not None:
        where.append(ToolCallRow.status == choice.status)
    return where


async def _views(
    session: ReadSession, row: SessionRow, calls: list[ToolCallRow]
) -> list[ToolExecution]:
    stream, questions = stream_of(row.id), await _questions(session, calls)
    where = {
        call.id: _Where(
            call.started_seq or questions.get((call.run_id, call.call_id), 0), call.finished_seq
        )
        for call in calls
    }
    seqs = {seq for each in where.values() for seq in (each.asked, each.ended)}
    records = await lookup.records_at(session, [(stream, seq) for seq in seqs])
    return [
        _view(
            call,
            records.get((stream, where[call.id].asked)),
            records.get((stream, where[call.id].ended)),
        )
        for call in calls
    ]


async def _questions(
    session: ReadSession, calls: list[ToolCallRow]
) -> dict[tuple[str | None, str], int]:
    """Where people were asked about calls that were never made: that event holds their input."""
    never = [(call.run_id, call.call_id) for call in calls if not call.started_seq]
    if not never:
        return {}
    query = select(ApprovalRow.run_id, ApprovalRow.call_id, ApprovalRow.requested_seq).where(
        tuple_(ApprovalRow.run_id, ApprovalRow.call_id).in_(never)
    )
    return {(run, call): seq for run, call, seq in await session.execute(query)}


def _view(call: ToolCallRow, asked: Record | None, ended: Record | None) -> ToolExecution:
    going_in = _payload(asked).get("input", {})
    result = _payload(ended)
    coming_out: dict[str, Any] | None
    if "content" in result:
        coming_out = {name: result[name] for name in _OUTPUT if name in result}
        wrong = result["content"][:LONGEST_MESSAGE] if call.is_error else None
    else:
        coming_out, wrong = result.get("output"), result.get("error_message")
    return ToolExecution.of(
        call,
        input_params=bounded(going_in, _href(call, asked)),
        output=None if coming_out is None else bounded(coming_out, _href(call, ended)),
        error_message=wrong,
    )


def _payload(record: Record | None) -> dict[str, Any]:
    return {} if record is None else orjson.loads(record.payload)


def _href(call: ToolCallRow, record: Record | None) -> str:
    return f"/v1/sessions/{call.session_id}/events/{0 if record is None else record.seq}"
