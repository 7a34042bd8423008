"""Who shares a project: looked at, opened to somebody, closed to them, left."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.eventlog import EventLog
from homeport.identity.access import SignedIn
from homeport.identity.directory import account_by_id
from homeport.identity.errors import AccountNotFound
from homeport.identity.models import User
from homeport.identity.repository import get_named_account
from homeport.kernel.http.pagination import Paging, paginate
from homeport.kernel.http.provide import provided
from homeport.kernel.ids import is_id
from homeport.projects.access import Owned, Seen, project_for
from homeport.projects.at_work import AtWork
from homeport.projects.errors import MemberNotFound
from homeport.projects.members.repository import count_members, list_members
from homeport.projects.members.schemas import MemberBody, MemberPage, MemberView
from homeport.projects.members.service import put_member, remove_member
from homeport.projects.roles import ALLOWED
from homeport.projects.service import project_stream

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["projects"])

Log = Annotated[EventLog, provided(EventLog)]
Working = Annotated[AtWork, provided(AtWork)]


@router.get("/members")
async def read_members(seen: Seen, paging: Paging, log: Log) -> MemberPage:
    """Whom the project is open to, with who made it."""
    async with log.database.read() as session:
        rows = await list_members(
            session,
            seen.project,
            limit=paging.limit + 1,
            skip=paging.skip,
            after=paging.after_id(),
        )
        total = await count_members(session, seen.project)
    page = paginate(paging, rows, total=total, key=lambda row: (row.user_id,))
    return MemberPage(members=[MemberView.of(row) for row in page.items], **page.fields())


@router.put("/members")
async def put(
    owned: Owned, body: MemberBody, caller: SignedIn, log: Log, at_work: Working
) -> MemberView:
    """Opens the project to somebody, or changes what they may do in it."""
    project_id = owned.project.id
    async with log.unit(project_stream(project_id)) as unit:
        project = await project_for(unit.session, caller, project_id, "own")
        # In here: nobody comes in whose account was closed while this waited.
        user = await _named(unit.session, body)
        shown, before = await put_member(unit, project, user, role=body.role, actor=caller.actor)
    if before in ALLOWED["write"] and body.role not in ALLOWED["write"]:
        await at_work.stop(project_id, user_id=user.id, actor=caller.actor)
    return MemberView.of(shown)


@router.delete("/members/{user_id}", status_code=204)
async def remove(owned: Owned, user_id: str, caller: SignedIn, log: Log, at_work: Working) -> None:
    """Closes the project to a member; what they have at work in it is stopped."""
    if not is_id(user_id):
        raise MemberNotFound
    project_id = owned.project.id
    async with log.unit(project_stream(project_id)) as unit:
        project = await project_for(unit.session, caller, project_id, "own")
        await remove_member(unit, project, user_id, reason="removed", actor=caller.actor)
    await at_work.stop(project_id, user_id=user_id, actor=caller.actor)


@router.post("/leave", status_code=204)
async def leave(seen: Seen, caller: SignedIn, log: Log, at_work: Working) -> None:
    """Takes the caller out of somebody else's project."""
    project_id = seen.project.id
    async with log.unit(project_stream(project_id)) as unit:
        project = await project_for(unit.session, caller, project_id)
        await remove_member(unit, project, caller.user_id, reason="left", actor=caller.actor)
    await at_work.stop(project_id, user_id=caller.user_id, actor=caller.actor)


async def _named(session: AsyncSession, body: MemberBody) -> User:
    """Whom the body names.

    Raises:
        AccountNotFound: Nobody, or an account that is switched off.
    """
    if body.user_id is not None:
        user = await account_by_id(session, body.user_id)
    else:
        user = await get_named_account(session, body.username or body.email or "")
    if not user.is_active:
        raise AccountNotFound
    return user
