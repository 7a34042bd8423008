"""Invitations come to an end: used up, taken back, or with the office of whoever made them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, select, update
from sqlalchemy.orm import InstrumentedAttribute

from homeport.eventlog import Event, Unit
from homeport.eventlog.catalogue.invitation import InvitationRevoked
from homeport.identity.invitations.errors import InvitationNotFound
from homeport.identity.invitations.models import Invitation
from homeport.identity.roles import USERS_MANAGE, permissions_of
from homeport.kernel import clock
from homeport.kernel.ids import is_id

STREAM: Final = "system"


def open_invitations() -> Select[Invitation]:
    """The invitations that could still be used."""
    return select(Invitation).where(*still_open())


async def revoke_invitation(unit: Unit, invitation_id: str, *, actor: str) -> None:
    """Ends an invitation that nobody has used. Open the unit on `system`.

    Raises:
        InvitationNotFound: There is none that could still be used.
    """
    revoked = InvitationRevoked(invitation_id=invitation_id)
    if not is_id(invitation_id) or not await end(
        unit, invitation_id, Invitation.revoked_at, revoked, actor=actor
    ):
        raise InvitationNotFound


async def revoke_invitations(
    unit: Unit, *, user_id: str, kept_by: Iterable[str], actor: str
) -> None:
    """Ends an account's invitations, but for those that its new roles `kept_by` may still make.

    They are ended, and do not only rest: whoever is let back in has not asked for them again, and
    it may have been a thief who did. Open the unit on `system`.
    """
    query = open_invitations().where(Invitation.user_id == user_id)
    for each in (await unit.session.scalars(query)).all():
        if not may_invite(kept_by, each.role):
            revoked = InvitationRevoked(invitation_id=each.id)
            await end(unit, each.id, Invitation.revoked_at, revoked, actor=actor)


def may_invite(roles: Iterable[str], role: str) -> bool:
    """Whether holders of `roles` may invite somebody to be `role`."""
    return permissions_of([role]) | {USERS_MANAGE} <= permissions_of(roles)


def still_open() -> tuple[ColumnElement[bool], ...]:
    """What is true of an invitation that could still be used."""
    return (
        Invitation.used_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > clock.utc_now(),
    )


async def end(
    unit: Unit,
    invitation_id: str,
    when: InstrumentedAttribute[datetime | None],
    event: Event,
    *,
    actor: str,
) -> bool:
    """Whether this call, and no other, ended it, and said so; with it goes whom it was for."""
    ended = await unit.session.execute(
        update(Invitation)
        .where(Invitation.id == invitation_id, *still_open())
        .values({when: clock.utc_now(), Invitation.email: None, Invitation.note: None})
        .returning(Invitation.id)
        .execution_options(synchronize_session=False)
    )
    if ended.first() is None:
        return False
    unit.append(STREAM, event, actor=actor)
    return True
