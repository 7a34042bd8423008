"""Blanks what the rows of an account keep, when its stream is erased."""

from __future__ import annotations

from sqlalchemy import String, delete, literal

from homeport.eventlog import Erased, Unit
from homeport.identity.factors.models import PendingSignIn, RecoveryCode, TotpFactor
from homeport.identity.invitations.models import Invitation
from homeport.identity.models import ApiKey, Device, SetupLink, StreamTicket, User
from homeport.identity.pairing.models import Pairing
from homeport.identity.passkeys.models import Passkey, PasskeyChallenge
from homeport.identity.signatures.models import RequestKey

GONE = "erased"
PROOFS = (
    ApiKey,
    Device,
    Invitation,
    Pairing,
    Passkey,
    PasskeyChallenge,
    PendingSignIn,
    RecoveryCode,
    RequestKey,
    SetupLink,
    StreamTicket,
    TotpFactor,
)
"""Tables that hold what proves an owner, or lets others in on their word."""
IS_ERASED = User.email_key == literal(f"{GONE}:", String).concat(User.id)
"""Selects the accounts of which a row is left and nothing else."""


async def blank(unit: Unit, erased: Erased) -> None:
    """Takes away whatever says who the account's owner was, and all that proved it.

    The row stays, under a name that nobody can register, so that ids in the log lead somewhere.
    """
    user = await unit.session.get(User, erased.subject)
    if user is None or not erased.whole:
        return
    # No address and no name has a colon: whoever registers cannot stand in the way.
    user.username = user.username_key = user.email_key = f"{GONE}:{user.id}"
    user.email = f"{user.id}@{GONE}.invalid"
    user.password_hash, user.preferences, user.is_active = None, {}, False
    for table in PROOFS:
        await unit.session.execute(delete(table).where(table.user_id == user.id))
