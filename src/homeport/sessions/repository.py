"""Finds sessions, with the status that follows from their runs, and sums them up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, String, and_, case, exists, func, literal_column, select

from homeport.dispatch.models import RunRow
from homeport.dispatch.queue import IS_UNFINISHED
from homeport.eventlog import lookup
from homeport.kernel.db import ReadSession
from homeport.kernel.http.listing import newest, newest_rows
from homeport.kernel.http.pagination import Page, PageRequest
from homeport.sessions.access import stream_of
from homeport.sessions.models import ApprovalRow, SessionRow

# Literals, so that the partial indexes of the runs fit.
_RUNNING: ColumnElement[str] = literal_column("'running'", String)
_WAITING: ColumnElement[str] = literal_column("'waiting'", String)


@dataclass(frozen=True, slots=True)
class Seen:
    """A session as it is shown.

    Attributes:
        status: `streaming`, `active`, `idle`, `archived`.
        head: The last `seq` of its stream.
    """

    row: SessionRow
    status: str
    head: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a user's sessions are asked for.

    Attributes:
        active_since: A session whose last run ended after this moment is active.
    """

    user_id: str
    active_since: datetime
    project_id: str | None = None
    status: str | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """All of a user's sessions together."""

    sessions: int
    active: int
    messages: int
    tokens: int
    cost_usd: float


async def seen(session: ReadSession, session_id: str, *, active_since: datetime) -> Seen:
    """One session that is known to exist."""
    query = select(SessionRow, _status(active_since)).where(SessionRow.id == session_id)
    found = (await session.execute(query.execution_options(populate_existing=True))).one()
    return (await _with_heads(session, [(found[0], found[1])]))[0]


async def page_of_sessions(session: ReadSession, choice: Choice, paging: PageRequest) -> Page[Seen]:
    """The chosen sessions, the newest first.

    Raises:
        BadCursor: The cursor is not of this list.
    """
    query = select(SessionRow, _status(choice.active_since)).where(*_chosen(choice))
    page = await newest_rows(session, query, SessionRow.id, paging)
    return page.of(await _with_heads(session, [(row, status) for row, status in page.items]))


async def sums(session: ReadSession, user_id: str, *, active_since: datetime) -> Sums:
    """The caller's sessions, added up."""
    status = _status(active_since)
    query = select(
        func.count(),
        func.sum(case((status.in_(("streaming", "active")), 1), else_=0)),
        func.sum(SessionRow.ordinal),
        func.sum(total_tokens()),
        func.sum(SessionRow.cost_usd),
    ).where(SessionRow.user_id == user_id, SessionRow.state != "deleted")
    count, active, messages, tokens, cost = (await session.execute(query)).one()
    return Sums(count, int(active or 0), int(messages or 0), int(tokens or 0), float(cost or 0))


async def page_of_approvals(
    session: ReadSession, user_id: str, paging: PageRequest, *, status: str | None
) -> Page[ApprovalRow]:
    """The user's questions, the newest first.

    Raises:
        BadCursor: The cursor is not of this list.
    """
    query = select(ApprovalRow).where(*_asked(user_id, status))
    return await newest(session, query, ApprovalRow.id, paging)


def total_tokens() -> ColumnElement[int]:
    """Everything that a session's models have read and written."""
    return (
        SessionRow.input_tokens
        + SessionRow.output_tokens
        + SessionRow.cache_read_tokens
        + SessionRow.cache_write_tokens
    )


def _status(active_since: datetime) -> ColumnElement[str]:
    mine = RunRow.session_id == SessionRow.id
    at_work = RunRow.status.in_((_RUNNING, _WAITING))
    running = exists().where(mine, at_work, RunRow.status == _RUNNING)
    # The end of a run touches the session: one that was not touched needs no look at its runs.
    ended_lately = and_(
        SessionRow.updated_at > active_since,
        exists().where(mine, RunRow.finished_at > active_since),
    )
    return case(
        (SessionRow.state == "archived", "archived"),
        (running, "streaming"),
        (exists().where(mine, IS_UNFINISHED), "active"),
        (ended_lately, "active"),
        else_="idle",
    )


def _chosen(choice: Choice) -> list[ColumnElement[bool]]:
    where = [SessionRow.user_id == choice.user_id, SessionRow.state != "deleted"]
    if choice.project_id is not None:
        where.append(SessionRow.project_id == choice.project_id)
    if choice.status is not None:
        where.append(_status(choice.active_since) == choice.status)
    if choice.search is not None:
        name = func.lower(SessionRow.name)
        where.append(name.contains(choice.search.lower(), autoescape=True))
    return where


def _asked(user_id: str, status: str | None) -> list[ColumnElement[bool]]:
    live = exists().where(SessionRow.id == ApprovalRow.session_id, SessionRow.state != "deleted")
    where = [ApprovalRow.user_id == user_id, live]
    return where if status is None else [*where, ApprovalRow.status == status]


async def _with_heads(session: ReadSession, found: Sequence[tuple[SessionRow, str]]) -> list[Seen]:
    heads = await lookup.heads_of(session, [stream_of(row.id) for row, _ in found])
    return [Seen(row, status, heads.get(stream_of(row.id), 0)) for row, status in found]
