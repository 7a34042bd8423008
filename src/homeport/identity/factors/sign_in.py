"""Completes a sign-in whose password was right."""

from __future__ import annotations

from homeport.eventlog import Unit
from homeport.identity.errors import AccountDisabled
from homeport.identity.factors import pending
from homeport.identity.factors.errors import CodeRefused, PendingSignInRefused
from homeport.identity.factors.models import PendingSignIn
from homeport.identity.factors.proof import ShownCode, prove_code
from homeport.identity.factors.totp import Totp
from homeport.identity.mint import TokenMint
from homeport.identity.repository import get_account
from homeport.identity.service.devices import open_device
from homeport.identity.service.sign_in import SignedInAs
from homeport.identity.visit import Visit
from homeport.kernel import clock


async def complete_pending(
    unit: Unit, mint: TokenMint, totp: Totp, begun: PendingSignIn, *, shown: ShownCode, visit: Visit
) -> SignedInAs | CodeRefused:
    """Signs in, or records the wrong code; that refusal is returned, so that it is committed.

    Raises:
        AccountDisabled: The account was switched off since the password was shown.
        PendingSignInRefused: Another request has completed the attempt; no code was used up.
    """
    user = await get_account(unit.session, begun.user_id)
    if not user.is_active:
        raise AccountDisabled
    if not await prove_code(unit, totp=totp, shown=shown, user_id=user.id, address=visit.address):
        return CodeRefused()
    if not await pending.finish(unit.session, begun.token_hash, now=clock.utc_now()):
        raise PendingSignInRefused
    scopes = None if begun.scopes is None else frozenset(begun.scopes)
    tokens = await open_device(
        unit, mint, user=user, visit=visit, method="password", scopes=scopes, verified=True
    )
    return SignedInAs(user, tokens)
