"""Invitations: made, listed, revoked, and used up by the account that is made with one.

A code carries 256 bits, so a wrong one is counted after it was looked at, and not before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.eventlog import EventLog, Unit
from homeport.eventlog.catalogue.invitation import (
    InvitationCreated,
    InvitationFault,
    InvitationRefusal,
    InvitationUsed,
)
from homeport.identity.errors import UnknownRole
from homeport.identity.guard import Guard
from homeport.identity.invitations.ending import STREAM, end, may_invite
from homeport.identity.invitations.errors import InvitationRefused
from homeport.identity.invitations.models import Invitation
from homeport.identity.models import User
from homeport.identity.names import folded
from homeport.identity.opaque import hashed, new_secret
from homeport.identity.roles import ROLES
from homeport.kernel import clock
from homeport.kernel.db import WriteSession
from homeport.kernel.ids import new_id

CODE_MARK: Final = "hpi_"
LIFETIME: Final = timedelta(days=7)
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=30)
REMEMBERED: Final = timedelta(days=30)
"""So long after its time an invitation is still told from a code that never was one."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an invitation is to be for.

    Attributes:
        role: What the new account may do.
        email: The only address that may be registered with it; None is any.
        note: For whoever looks at the list.
        lifetime: Between `SHORTEST` and `LONGEST`.
    """

    role: str
    email: str | None = None
    note: str | None = None
    lifetime: timedelta = LIFETIME


def invite(unit: Unit, wish: Wish, *, user_id: str | None, actor: str) -> tuple[Invitation, str]:
    """Makes an invitation; returns it and its code, which is kept nowhere. Open on `system`.

    Args:
        unit: An open write unit.
        wish: What it is for.
        user_id: Who invites; None: the operator.
        actor: The same, for the log.

    Raises:
        UnknownRole: There is no such role.
    """
    if wish.role not in ROLES:
        raise UnknownRole(f"There are: {', '.join(ROLES)}.", param="role")
    now, code = clock.utc_now(), CODE_MARK + new_secret()
    made = Invitation(
        id=new_id(),
        user_id=user_id,
        code_hash=hashed(code),
        role=wish.role,
        email=wish.email,
        note=wish.note,
        created_at=now,
        expires_at=now + wish.lifetime,
        used_at=None,
        revoked_at=None,
    )
    unit.session.add(made)
    expires_at = clock.rfc3339(made.expires_at)
    created = InvitationCreated(invitation_id=made.id, role=made.role, expires_at=expires_at)
    unit.append(STREAM, created, actor=actor)
    return made, code


async def check_invitation(
    log: EventLog, guard: Guard, code: str, *, email: str, address: str | None
) -> None:
    """Lets through who may register `email` with `code`, as it stands now.

    A code that never was one counts as a guess of its address; one that does not hold any more is
    noted in the log.

    Raises:
        InvitationRefused: They may not.
        AccountLocked, TooManyGuesses: There were too many that never were.
    """
    async with log.database.read() as session:
        found = await _find(session, code)
        fault = None if found is None else await _fault(session, found, email)
    if found is None:
        await guard.admit(subject=guard.subject(None, code), address=address)
        raise InvitationRefused
    if fault is not None:
        refusal = InvitationRefusal(invitation_id=found.id, reason=fault, address=address)
        async with log.unit(STREAM) as unit:
            unit.append(STREAM, refusal, actor="system")
        raise InvitationRefused


async def use_invitation(unit: Unit, code: str, *, email: str, user_id: str) -> str:
    """Uses an invitation up for the account `user_id`, and says which role it gives.

    Of any number of calls one succeeds: it is one conditional write. Open the unit on `system`.

    Raises:
        InvitationRefused: It gives none, or not any more.
    """
    found = await _find(unit.session, code)
    if found is None or await _fault(unit.session, found, email) is not None:
        raise InvitationRefused
    role = found.role
    used = InvitationUsed(invitation_id=found.id, user_id=user_id, role=role)
    if not await end(unit, found.id, Invitation.used_at, used, actor=f"user:{user_id}"):
        raise InvitationRefused
    return role


async def remove_old(session: WriteSession) -> None:
    """Removes what has long been over. For a chore."""
    over = Invitation.expires_at < clock.utc_now() - REMEMBERED
    await session.execute(delete(Invitation).where(over))


async def _find(session: AsyncSession, code: str) -> Invitation | None:
    query = select(Invitation).where(Invitation.code_hash == hashed(code))
    return await session.scalar(query.execution_options(populate_existing=True))


async def _fault(session: AsyncSession, found: Invitation, email: str) -> InvitationFault | None:
    """Why `found` does not let `email` in; None: it does."""
    if found.used_at is not None:
        return "used"
    if found.revoked_at is not None:
        return "revoked"
    if found.expires_at <= clock.utc_now():
        return "expired"
    if found.email is not None and folded(found.email) != folded(email):
        return "address"
    if found.user_id is not None:
        host = await session.get(User, found.user_id, populate_existing=True)
        # Whoever loses the office must not keep a way in to it.
        if host is None or not host.is_active or not may_invite(host.roles, found.role):
            return "inviter"
    return None
