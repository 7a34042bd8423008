"""Invitations, for those who manage accounts."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter

from homeport.identity.invitations.ending import STREAM, open_invitations, revoke_invitation
from homeport.identity.invitations.models import Invitation
from homeport.identity.invitations.schemas import (
    InvitationBody,
    InvitationPage,
    InvitationView,
    InvitedView,
)
from homeport.identity.invitations.service import Wish, invite
from homeport.identity.roles import permissions_of
from homeport.identity.router.provided import Log, Manager, Overseer, Registering
from homeport.kernel.http.listing import newest
from homeport.kernel.http.pagination import Paging

router = APIRouter(prefix="/v1/auth/invitations", tags=["users"])


@router.get("")
async def read_invitations(caller: Overseer, paging: Paging, log: Log) -> InvitationPage:
    """The invitations that could still be used, the newest first."""
    del caller  # it may: that is all there is to know
    async with log.database.read() as session:
        page = await newest(session, open_invitations(), Invitation.id, paging)
    return InvitationPage(
        invitations=[InvitationView.of(row) for row in page.items], **page.fields()
    )


@router.post("", status_code=201)
async def make_invitation(
    body: InvitationBody, caller: Manager, log: Log, registration: Registering
) -> InvitedView:
    """Invites somebody to make one account, with at most what the caller may do themselves.

    `invitation_code` is shown this once; `POST /v1/auth/register` takes it.
    """
    registration.refuse_closed()
    for permission in sorted(permissions_of([body.role])):
        caller.require(permission)
    wish = Wish(body.role, body.email, body.note, timedelta(seconds=body.expires_in))
    async with log.unit(STREAM) as unit:
        made, code = invite(unit, wish, user_id=caller.user_id, actor=caller.actor)
    return InvitedView(**InvitationView.of(made).model_dump(), invitation_code=code)


@router.delete("/{invitation_id}", status_code=204)
async def end_invitation(invitation_id: str, caller: Manager, log: Log) -> None:
    """Takes an invitation back that nobody has used."""
    async with log.unit(STREAM) as unit:
        await revoke_invitation(unit, invitation_id, actor=caller.actor)
