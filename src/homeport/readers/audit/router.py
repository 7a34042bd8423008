"""The trail over HTTP: all of it for auditors, one's own for everybody."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from homeport.eventlog import EventLog, read, trail
from homeport.eventlog.sealer import last_seal
from homeport.eventlog.trail import Wanted
from homeport.eventlog.verifier import last_verified
from homeport.identity.access import Caller, SignedIn, needs
from homeport.identity.roles import AUDIT_READ
from homeport.identity.service.accounts import account_stream
from homeport.kernel.http.pagination import PageRequest, Paging, paginate
from homeport.kernel.http.provide import provided
from homeport.readers.audit.schemas import (
    AuditState,
    SealView,
    TrailEvent,
    TrailHead,
    TrailPage,
    VerificationView,
)

MOST_COUNTED = 10_000

router = APIRouter(prefix="/v1/audit", tags=["audit"])

Log = Annotated[EventLog, provided(EventLog)]
Auditor = Annotated[Caller, needs(AUDIT_READ)]
Word = Annotated[str | None, Query(max_length=120)]
Since = Annotated[AwareDatetime | None, Query(alias="from", description="RFC 3339, inclusive")]
Until = Annotated[AwareDatetime | None, Query(alias="to", description="RFC 3339, exclusive")]


@router.get("/events")
async def read_trail(
    *,
    _: Auditor,
    log: Log,
    paging: Paging,
    stream: Word = None,
    kind: Word = None,
    actor: Word = None,
    since: Since = None,
    until: Until = None,
) -> TrailPage:
    """What happened, the newest first; of conversations only that it happened."""
    wanted = Wanted(stream, kind, actor, _milliseconds(since), _milliseconds(until))
    return await _page(log, wanted, paging)


@router.get("/me")
async def read_own_trail(
    *, caller: SignedIn, log: Log, paging: Paging, kind: Word = None
) -> TrailPage:
    """What happened to the caller's own account: sign-ins, keys, roles, refusals."""
    return await _page(log, Wanted(account_stream(caller.user_id), kind), paging)


@router.get("/head")
async def read_head(_: Auditor, log: Log) -> TrailHead:
    """How far the log goes, and the newest seal: keep it elsewhere, and you have an anchor."""
    async with log.database.read() as session:
        position, seal = await read.last_position(session), await last_seal(session)
    return TrailHead(
        position=position,
        sealed=0 if seal is None else seal.position,
        last_seal=None if seal is None else SealView.of(seal),
    )


@router.get("/verify")
async def read_verification(_: Auditor, log: Log) -> AuditState:
    """The last verification of the whole log, and the last seal."""
    async with log.database.read() as session:
        verified, seal = await last_verified(session), await last_seal(session)
    return AuditState(
        verification=None if verified is None else VerificationView.of(verified),
        last_seal=None if seal is None else SealView.of(seal),
    )


async def _page(log: EventLog, wanted: Wanted, paging: PageRequest) -> TrailPage:
    keys = paging.after(int)
    async with log.database.read() as session:
        total = await trail.count(session, wanted, most=MOST_COUNTED + 1)
        found = await trail.entries(
            session,
            wanted,
            before=None if keys is None else keys[0],
            limit=paging.limit + 1,
            skip=paging.skip,
        )
    page = paginate(
        paging,
        found,
        total=min(total, MOST_COUNTED),
        total_capped=total > MOST_COUNTED,
        key=lambda entry: (entry.position,),
    )
    return TrailPage(events=[TrailEvent.of(each) for each in page.items], **page.fields())


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
