"""Setting a password: with the old one, by a one-time link, or in the operator's terminal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import update

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.account import PasswordChanged, SetupLinkCreated, SetupLinkUsed
from homeport.identity.errors import WrongPassword
from homeport.identity.guard import unlock
from homeport.identity.models import SetupLink, User
from homeport.identity.opaque import hashed, new_secret
from homeport.identity.service.devices import revoke_devices
from homeport.kernel import clock
from homeport.kernel.ids import new_id

LINK_LIFETIME: Final = timedelta(minutes=10)


async def change_password(
    unit: Unit,
    *,
    user_id: str,
    verified_hash: str,
    new_hash: str,
    keep_device: str | None,
    actor: str,
) -> None:
    """Replaces the password that was verified a moment ago and ends every other sign-in.

    Raises:
        WrongPassword: It was changed meanwhile.
    """
    result = await unit.session.execute(
        update(User)
        .where(User.id == user_id, User.password_hash == verified_hash)
        .values(password_hash=new_hash, updated_at=clock.utc_now())
        .returning(User.id)
    )
    if result.first() is None:
        raise WrongPassword("The password was changed meanwhile.")
    unit.append(f"account:{user_id}", PasswordChanged(how="change"), actor=actor)
    await revoke_devices(
        unit, user_id=user_id, reason="password-changed", actor=actor, keep=keep_device
    )


async def create_setup_link(unit: Unit, *, user_id: str) -> tuple[str, datetime]:
    """Makes a one-time link; returns its path with the secret, and when it ends.

    Links made before end at once: there is one at a time.
    """
    now = clock.utc_now()
    await unit.session.execute(
        update(SetupLink)
        .where(SetupLink.user_id == user_id, SetupLink.used_at.is_(None))
        .values(used_at=now)
    )
    secret = new_secret()
    link = SetupLink(
        id=new_id(),
        user_id=user_id,
        token_hash=hashed(secret),
        created_at=now,
        expires_at=now + LINK_LIFETIME,
        used_at=None,
    )
    unit.session.add(link)
    unit.append(
        f"account:{user_id}",
        SetupLinkCreated(link_id=link.id, expires_at=clock.rfc3339(link.expires_at)),
        actor="system",
    )
    return f"/setup?token={secret}", link.expires_at


async def use_setup_link(unit: Unit, *, user_id: str, link_id: str, new_hash: str) -> bool:
    """Sets a password by a link and ends every sign-in; False when the link was used or is over."""
    now = clock.utc_now()
    result = await unit.session.execute(
        update(SetupLink)
        .where(SetupLink.id == link_id, SetupLink.used_at.is_(None), SetupLink.expires_at > now)
        .values(used_at=now)
        .returning(SetupLink.id)
    )
    if result.first() is None:
        return False
    actor = f"user:{user_id}"
    unit.append(f"account:{user_id}", SetupLinkUsed(link_id=link_id), actor=actor)
    await set_password(unit, user_id=user_id, new_hash=new_hash, how="link", actor=actor)
    return True


async def set_password(
    unit: Unit, *, user_id: str, new_hash: str, how: Literal["link", "terminal"], actor: str
) -> None:
    """Sets a password without the old one; ends every sign-in, and a lock."""
    await unit.session.execute(
        update(User)
        .where(User.id == user_id)
        .values(password_hash=new_hash, updated_at=clock.utc_now())
    )
    unit.append(f"account:{user_id}", PasswordChanged(how=how), actor=actor)
    await unlock(unit, user_id=user_id, actor=actor)
    await revoke_devices(unit, user_id=user_id, reason="password-changed", actor=actor)
