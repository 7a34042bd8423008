"""Sign-ins as devices: opened with a family of refresh tokens, ended with all their tokens."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, update

from homeport.eventlog import Unit
from homeport.eventlog.catalogue import Event
from homeport.eventlog.catalogue.account import (
    DeviceEnd,
    DeviceRenamed,
    DeviceRevoked,
    LoginMethod,
    LoginSucceeded,
)
from homeport.eventlog.catalogue.request_key import SignaturePolicyChanged
from homeport.identity.factors import pending
from homeport.identity.mint import TokenMint, TokenPair
from homeport.identity.models import Device, User
from homeport.identity.pairing.models import Pairing
from homeport.identity.repository import find_device, live_device
from homeport.identity.visit import Visit
from homeport.kernel import clock
from homeport.kernel.ids import new_id


async def open_device(
    unit: Unit,
    mint: TokenMint,
    *,
    user: User,
    visit: Visit,
    method: LoginMethod,
    scopes: frozenset[str] | None,
    name: str | None = None,
    verified: bool = False,
) -> TokenPair:
    """Signs `user` in: a device, its first refresh token, and the pair to hand over.

    Args:
        name: What it is called; None: what its client calls itself.
        verified: A second factor was shown.
    """
    now = clock.utc_now()
    device = Device(
        id=new_id(),
        user_id=user.id,
        name=name or visit.device_name,
        address=visit.address,
        scopes=None if scopes is None else sorted(scopes),
        created_at=now,
        last_seen_at=now,
        expires_at=now + mint.absolute,
        revoked_at=None,
        signed_in_at=None if method == "pairing" else now,
        verified_at=now if verified else None,
    )
    row, text = mint.first(device, now=now)
    unit.session.add(device)
    await unit.session.flush()  # the token refers to the device
    unit.session.add(row)
    user.last_login_at = now
    unit.append(
        f"account:{user.id}",
        LoginSucceeded(
            device_id=device.id,
            method=method,
            address=visit.address,
            user_agent=visit.user_agent,
        ),
        actor=f"user:{user.id}",
    )
    return mint.pair(device, roles=user.roles, refresh=text)


async def revoke_device(
    unit: Unit, *, user_id: str, device_id: str, reason: DeviceEnd, actor: str
) -> bool:
    """Ends one sign-in of `user_id`; False when it is not theirs or had ended."""
    ended = await _end(unit, user_id, reason, actor, Device.id == device_id)
    return bool(ended)


async def update_device(
    unit: Unit,
    *,
    user_id: str,
    device_id: str,
    name: str | None,
    signed_only: bool | None,
    actor: str,
) -> Device | None:
    """Says what a device is called and whether its requests must be signed; None changes nothing.

    Returns:
        The device; None when no live one has this id.
    """
    device = await find_device(unit.session, user_id, device_id)
    if device is None:
        return None
    facts: list[Event] = []
    if name is not None and name != device.name:
        device.name = name
        facts.append(DeviceRenamed(device_id=device_id, name=name))
    if signed_only is not None and signed_only != device.signed_only:
        device.signed_only = signed_only
        facts.append(SignaturePolicyChanged(device_id=device_id, signed_only=signed_only))
    for fact in facts:
        unit.append(f"account:{user_id}", fact, actor=actor)
    return device


async def revoke_devices(
    unit: Unit, *, user_id: str, reason: DeviceEnd, actor: str, keep: str | None = None
) -> int:
    """Ends every sign-in of `user_id` but `keep`, and those under way; returns how many."""
    await pending.abandon(unit.session, user_id)
    await unit.session.execute(delete(Pairing).where(Pairing.user_id == user_id))
    which = () if keep is None else (Device.id != keep,)
    return len(await _end(unit, user_id, reason, actor, *which))


async def _end(
    unit: Unit, user_id: str, reason: DeviceEnd, actor: str, *which: ColumnElement[bool]
) -> list[str]:
    now = clock.utc_now()
    result = await unit.session.execute(
        update(Device)
        .where(*live_device(user_id, now), *which)
        .values(revoked_at=now)
        .returning(Device.id)
        .execution_options(synchronize_session=False)
    )
    ended = sorted(result.scalars())
    for device_id in ended:
        unit.append(
            f"account:{user_id}", DeviceRevoked(device_id=device_id, reason=reason), actor=actor
        )
    return ended
