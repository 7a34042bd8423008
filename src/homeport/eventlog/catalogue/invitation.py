"""Facts of invitations, on `system`: who is invited has no stream yet. No payload names them."""

from __future__ import annotations

from typing import Literal

from homeport.eventlog.catalogue.base import Event

InvitationFault = Literal["used", "revoked", "expired", "address", "inviter"]


class InvitationCreated(Event):
    """One account may be made with a code, until then, with this role."""

    kind = "invitation.created"

    invitation_id: str
    role: str
    expires_at: str


class InvitationUsed(Event):
    """An account was made with it, and no other will be."""

    kind = "invitation.used"

    invitation_id: str
    user_id: str
    role: str


class InvitationRevoked(Event):
    """It was taken back before anybody used it."""

    kind = "invitation.revoked"

    invitation_id: str


class InvitationRefusal(Event):
    """Somebody came with it and was refused.

    It was used, revoked or too old, was for another address, or whoever invited may not any more.
    """

    kind = "invitation.refused"

    invitation_id: str
    reason: InvitationFault
    address: str | None = None
