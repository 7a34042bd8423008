"""Accounts: make, change, disable, enable, delete, and their roles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, and_, update

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.account import (
    AccountCreated,
    AccountDeleted,
    AccountDisabled,
    AccountEnabled,
    AccountOrigin,
    AccountRestored,
    AccountUpdated,
    RolesChanged,
)
from homeport.identity.errors import (
    AccountErased,
    AccountIsDeleted,
    LastAdmin,
    PreferencesTooLarge,
    UnknownRole,
)
from homeport.identity.invitations.ending import revoke_invitations
from homeport.identity.lookalikes import username_key
from homeport.identity.models import User
from homeport.identity.names import folded
from homeport.identity.repository import get_account, other_active_admins
from homeport.identity.roles import ADMIN, ROLES
from homeport.identity.service.api_keys import revoke_keys
from homeport.identity.service.devices import revoke_devices
from homeport.kernel import clock

MAKERS: Final[Mapping[str, str]] = {"first-start": "system", "operator": "operator"}
"""Who makes an account that its owner does not."""
MAX_PREFERENCES: Final = 16_384
KEPT: Final = timedelta(days=30)
"""So long after the deletion of an account it can be taken back; then what it holds is erased."""


def account_stream(user_id: str) -> str:
    """The stream of an account."""
    return f"account:{user_id}"


async def create_account(
    unit: Unit,
    *,
    user_id: str,
    email: str,
    username: str,
    password_hash: str | None,
    roles: Iterable[str],
    how: AccountOrigin,
) -> User:
    """Makes an account.

    Raises:
        sqlalchemy.exc.IntegrityError: The address or the name is taken; the unit is lost.
    """
    now = clock.utc_now()
    user = User(
        id=user_id,
        email=email,
        email_key=folded(email),
        username=username,
        username_key=username_key(username),
        password_hash=password_hash,
        roles=sorted(roles),
        preferences={},
        is_active=True,
        created_at=now,
        updated_at=now,
        last_login_at=None,
        deleted_at=None,
    )
    unit.session.add(user)
    await unit.session.flush()
    unit.append(
        account_stream(user_id),
        AccountCreated(user_id=user_id, username=username, email=email, roles=user.roles, how=how),
        actor=MAKERS.get(how, f"user:{user_id}"),
    )
    return user


async def update_account(
    unit: Unit, *, user_id: str, username: str | None, preferences: dict[str, Any] | None
) -> User:
    """Changes what its owner may change; None leaves a member as it is.

    Raises:
        PreferencesTooLarge: The preferences are over 16 KiB of JSON.
        sqlalchemy.exc.IntegrityError: The name is taken; the unit is lost.
    """
    user = await get_account(unit.session, user_id)
    changed: list[str] = []
    if username is not None and username != user.username:
        user.username, user.username_key = username, username_key(username)
        changed.append("username")
    if preferences is not None and preferences != user.preferences:
        size = len(orjson.dumps(preferences))
        if size > MAX_PREFERENCES:
            raise PreferencesTooLarge(
                f"The preferences are {size} bytes; {MAX_PREFERENCES} are the most.",
                param="preferences",
            )
        user.preferences = preferences
        changed.append("preferences")
    if not changed:
        return user
    user.updated_at = clock.utc_now()
    await unit.session.flush()
    unit.append(
        account_stream(user_id),
        AccountUpdated(changed=changed, username=username if "username" in changed else None),
        actor=f"user:{user_id}",
    )
    return user


async def disable_account(unit: Unit, *, user_id: str, actor: str) -> None:
    """Switches an account off and ends its sign-ins; a second call changes nothing.

    Open the unit for `system` too: it orders the changes that could take the last admin away.

    Raises:
        LastAdmin: Nobody would be left to manage the server.
    """
    await _refuse_last_admin(unit, user_id)
    if not await _changed(unit, user_id, User.is_active.is_(True), is_active=False):
        return
    unit.append(account_stream(user_id), AccountDisabled(), actor=actor)
    await revoke_invitations(unit, user_id=user_id, kept_by=(), actor=actor)
    await revoke_devices(unit, user_id=user_id, reason="account-disabled", actor=actor)


async def enable_account(unit: Unit, *, user_id: str, actor: str) -> None:
    """Switches an account on again, also one that was deleted; its owner signs in anew.

    Raises:
        AccountErased: It was deleted too long ago.
    """
    kept = User.deleted_at.is_(None)
    if await _changed(unit, user_id, and_(User.is_active.is_(False), kept), is_active=True):
        unit.append(account_stream(user_id), AccountEnabled(), actor=actor)
        return
    in_time = User.deleted_at >= clock.utc_now() - KEPT
    if await _changed(unit, user_id, in_time, is_active=True, deleted_at=None):
        unit.append(account_stream(user_id), AccountRestored(), actor=actor)
    elif not (await get_account(unit.session, user_id)).is_active:
        raise AccountErased


async def delete_account(unit: Unit, *, user_id: str, actor: str) -> None:
    """Ends an account and all that proves its owner; see `disable_account`.

    What it holds is erased after a time, until which `enable_account` takes this back.

    Raises:
        LastAdmin: Nobody would be left to manage the server.
    """
    await _refuse_last_admin(unit, user_id)
    now = clock.utc_now()
    if not await _changed(
        unit, user_id, User.deleted_at.is_(None), is_active=False, deleted_at=now
    ):
        return
    unit.append(account_stream(user_id), AccountDeleted(), actor=actor)
    await revoke_invitations(unit, user_id=user_id, kept_by=(), actor=actor)
    await revoke_devices(unit, user_id=user_id, reason="account-deleted", actor=actor)
    await revoke_keys(unit, user_id=user_id, reason="account-deleted", actor=actor)


async def set_roles(unit: Unit, *, user_id: str, roles: Iterable[str], actor: str) -> User:
    """Replaces an account's roles; open the unit for `system` too, as for `disable_account`.

    Raises:
        UnknownRole: One of them does not exist.
        AccountIsDeleted: It is to be taken back first.
        LastAdmin: Nobody would be left to manage the server.
    """
    wanted = sorted(set(roles))
    unknown = [role for role in wanted if role not in ROLES]
    if unknown or not wanted:
        names = ", ".join(unknown) or "an empty list"
        raise UnknownRole(f"{names} is no role; there are: {', '.join(ROLES)}.", param="roles")
    user = await get_account(unit.session, user_id)
    refuse_deleted(user)
    if user.roles == wanted:
        return user
    if ADMIN not in wanted:
        await _refuse_last_admin(unit, user_id)
    before, user.roles, user.updated_at = user.roles, wanted, clock.utc_now()
    unit.append(account_stream(user_id), RolesChanged(before=before, after=wanted), actor=actor)
    await revoke_invitations(unit, user_id=user_id, kept_by=wanted, actor=actor)
    return user


def refuse_deleted(user: User) -> None:
    """Lets through an account that is not deleted.

    Raises:
        AccountIsDeleted: It is.
    """
    if user.deleted_at is not None:
        raise AccountIsDeleted


async def _changed(unit: Unit, user_id: str, state: ColumnElement[bool], **values: Any) -> bool:
    """Whether the account was in that `state`, and this call, and no other, took it out of it."""
    result = await unit.session.execute(
        update(User)
        .where(User.id == user_id, state)
        .values(updated_at=clock.utc_now(), **values)
        .returning(User.id)
        .execution_options(synchronize_session=False)
    )
    return result.first() is not None


async def _refuse_last_admin(unit: Unit, user_id: str) -> None:
    user = await get_account(unit.session, user_id)
    if user.is_active and ADMIN in user.roles:
        unit.head("system")  # proves that the unit holds the lock that this check needs
        if not await other_active_admins(unit.session, user_id):
            raise LastAdmin("Make somebody else an admin first.")
