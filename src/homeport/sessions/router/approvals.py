"""The agent's questions, and people's answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from homeport.eventlog import lookup
from homeport.identity.access import SignedIn
from homeport.kernel.db import ReadSession
from homeport.kernel.http.choice import chosen
from homeport.kernel.http.pagination import Paging
from homeport.sessions.access import approval_for, opened, stream_of
from homeport.sessions.models import ApprovalRow
from homeport.sessions.repository import page_of_approvals
from homeport.sessions.router.provided import Hands, Log, Tools
from homeport.sessions.schemas import AnswerBody, ApprovalPage, ApprovalView
from homeport.sessions.service.answer import answer, keep

router = APIRouter(prefix="/v1/approvals", tags=["approvals"])

STATUSES = ("requested", "approved", "denied", "expired")


@router.get("")
async def read_approvals(
    caller: SignedIn,
    log: Log,
    paging: Paging,
    status: Annotated[str | None, Query(json_schema_extra={"enum": list(STATUSES)})] = None,
) -> ApprovalPage:
    """The caller's questions, the newest first."""
    wanted = chosen(status, STATUSES, param="status")
    async with log.database.read() as session:
        page = await page_of_approvals(session, caller.user_id, paging, status=wanted)
        views = await _views(session, list(page.items), whole=False)
    return ApprovalPage(approvals=views, **page.fields())


@router.get("/{approval_id}")
async def read_approval(approval_id: str, caller: SignedIn, log: Log) -> ApprovalView:
    """One question, with the whole input of the call that it is about."""
    async with log.database.read() as session:
        row = await approval_for(session, caller, approval_id)
        return (await _views(session, [row], whole=True))[0]


@router.post("/{approval_id}")
async def answer_approval(
    approval_id: str, body: AnswerBody, caller: SignedIn, log: Log, dispatcher: Hands, tools: Tools
) -> ApprovalView:
    """Answers a question; the first answer counts, and a later one is told which that was."""
    async with log.database.read() as session:
        asked = await approval_for(session, caller, approval_id)
        asking = await lookup.records_at(session, [_place(asked)])
    tool = tools.find(asked.tool)
    async with opened(log, caller, asked.session_id) as (unit, _):
        question = await approval_for(unit.session, caller, approval_id)
        approve = body.decision == "approve"
        await answer(
            unit,
            question,
            user_id=caller.user_id,
            approve=approve,
            scope=body.scope,
            note=body.note,
        )
        if approve and body.scope != "once":
            spec = None if tool is None else tool.spec
            await keep(unit, question, asking[_place(asked)], scope=body.scope, spec=spec)
        await unit.session.flush()
        await unit.session.refresh(question)
    dispatcher.wake()
    async with log.database.read() as session:
        return (await _views(session, [question], whole=True))[0]


async def _views(
    session: ReadSession, rows: list[ApprovalRow], *, whole: bool
) -> list[ApprovalView]:
    records = await lookup.records_at(session, [_place(row) for row in rows])
    return [ApprovalView.of(row, records[_place(row)], whole=whole) for row in rows]


def _place(row: ApprovalRow) -> lookup.Place:
    return stream_of(row.session_id), row.requested_seq
