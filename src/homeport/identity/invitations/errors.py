"""What can go wrong with an invitation.

Forbidden ── InvitationRefused     told to whoever registers
NotFound ── InvitationNotFound     told to whoever manages accounts
"""

from __future__ import annotations

from homeport.kernel.errors import Forbidden, NotFound


class InvitationRefused(Forbidden):
    """The code is unknown, used, revoked, too old, or for another address; which is not told."""

    code = "auth.invitation-refused"
    title = "This invitation does not hold (any more): ask for another one"


class InvitationNotFound(NotFound):
    """No invitation that could still be used has this id."""

    code = "invitation.not-found"
    title = "Invitation not found"
