"""Refresh with rotation (RFC 9700 section 4.14.2): one conditional UPDATE spends a token.

Who comes second with the same token within ten seconds, while its child is unused, lost the answer
on the way and gets the same child. Else somebody holds a stolen token: the family ends.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.account import RefreshReused, RefreshRotated
from homeport.identity.mint import RETRY_WINDOW, TokenMint, TokenPair
from homeport.identity.models import Device, RefreshToken, User
from homeport.identity.service.devices import revoke_device
from homeport.kernel import clock
from homeport.kernel.ids import new_id


async def rotate(
    unit: Unit, mint: TokenMint, *, user_id: str, token_id: str, address: str | None
) -> TokenPair | None:
    """Spends `token_id`, whose secret the caller has shown, and gives its child.

    None is a refusal; what it changed (a revoked family) is to be committed like a success.

    Raises:
        SecretUnknown: Another node gave the child under a secret that this one does not know.
    """
    now = clock.utc_now()
    session = unit.session
    user = await session.get_one(User, user_id, populate_existing=True)
    token = await session.get(RefreshToken, token_id, populate_existing=True)
    if token is None:
        return None
    device = await session.get_one(Device, token.device_id, populate_existing=True)
    if not user.is_active or device.revoked_at is not None or device.expires_at <= now:
        return None
    child_id = new_id()
    spent = await session.execute(
        update(RefreshToken)
        .where(
            RefreshToken.id == token_id,
            RefreshToken.used_at.is_(None),
            RefreshToken.expires_at > now,
        )
        .values(used_at=now, child_id=child_id)
        .returning(RefreshToken.id)
        .execution_options(synchronize_session=False)
    )
    if spent.first() is not None:
        child = mint.child(device, parent_id=token_id, child_id=child_id, now=now)
        session.add(child)
        actor = f"user:{user_id}"
        unit.append(f"account:{user_id}", RefreshRotated(device_id=device.id), actor=actor)
        return _pair(mint, user, device, parent_id=token_id, child=child)
    if token.used_at is None:
        return None  # it was idle for too long
    repeated = await _repeatable(unit, token, now)
    if repeated is not None:
        return _pair(mint, user, device, parent_id=token_id, child=repeated)
    await _end_family(unit, token, user_id=user_id, address=address)
    return None


async def _repeatable(unit: Unit, token: RefreshToken, now: datetime) -> RefreshToken | None:
    """The child to give once more, None when this is no lost answer."""
    if token.used_at is None or token.child_id is None or now - token.used_at > RETRY_WINDOW:
        return None
    child = await unit.session.get(RefreshToken, token.child_id, populate_existing=True)
    return None if child is None or child.used_at is not None else child


async def _end_family(
    unit: Unit, token: RefreshToken, *, user_id: str, address: str | None
) -> None:
    unit.append(
        f"account:{user_id}",
        RefreshReused(device_id=token.device_id, token_id=token.id, address=address),
        actor="system",
    )
    await revoke_device(
        unit, user_id=user_id, device_id=token.device_id, reason="refresh-reused", actor="system"
    )


def _pair(
    mint: TokenMint, user: User, device: Device, *, parent_id: str, child: RefreshToken
) -> TokenPair:
    text = mint.child_text(parent_id=parent_id, child=child)
    return mint.pair(device, roles=user.roles, refresh=text)
