"""Every query of identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.errors import AccountNotFound, CredentialRefused
from homeport.identity.lookalikes import username_key
from homeport.identity.models import ApiKey, Device, RefreshToken, SetupLink, SigningKey, User
from homeport.identity.names import folded
from homeport.identity.roles import ADMIN
from homeport.kernel import clock
from homeport.kernel.http.listing import newest
from homeport.kernel.http.pagination import Page, PageRequest


@dataclass(frozen=True, slots=True)
class Standing:
    """What a device or a key is worth at this moment."""

    subject_id: str
    user_id: str
    username: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...] | None
    expires_at: datetime | None
    signed_only: bool = False


async def find_account(session: AsyncSession, name: str) -> User | None:
    """The account with this email address or username, in any spelling of its case."""
    if "\0" in name:
        return None  # no name has it, and PostgreSQL refuses to look for it
    which = (
        User.email_key == folded(name) if "@" in name else User.username_key == username_key(name)
    )
    return await session.scalar(select(User).where(which))


async def get_account(session: AsyncSession, user_id: str) -> User:
    """The account `user_id`, afresh.

    Raises:
        CredentialRefused: It is gone, and with it whatever proved its owner.
    """
    user = await session.get(User, user_id, populate_existing=True)
    if user is None:
        raise CredentialRefused
    return user


async def get_named_account(session: AsyncSession, name: str) -> User:
    """The account with this email address or username.

    Raises:
        AccountNotFound: There is none.
    """
    user = await find_account(session, name)
    if user is None:
        raise AccountNotFound(f"No account is called {name!r}.")
    return user


async def list_accounts(session: AsyncSession) -> Sequence[User]:
    """All accounts, the oldest first."""
    return (await session.scalars(select(User).order_by(User.id))).all()


async def has_accounts(session: AsyncSession) -> bool:
    """Whether anybody has an account."""
    return await session.scalar(select(User.id).limit(1)) is not None


async def taken(session: AsyncSession, *, email: str | None, username: str | None) -> set[str]:
    """Which of `email` and `username` an account has already."""
    wanted: list[ColumnElement[bool]] = []
    if email is not None:
        wanted.append(User.email_key == folded(email))
    if username is not None:
        wanted.append(User.username_key == username_key(username))
    rows = await session.execute(select(User.email_key, User.username_key).where(or_(*wanted)))
    found: set[str] = set()
    for of_email, of_username in rows:
        if email is not None and of_email == folded(email):
            found.add("email")
        if username is not None and of_username == username_key(username):
            found.add("username")
    return found


async def other_active_admins(session: AsyncSession, user_id: str) -> int:
    """How many active admins there are beside `user_id`."""
    query = select(User.roles).where(User.is_active.is_(True), User.id != user_id)
    return sum(ADMIN in roles for roles in await session.scalars(query))


async def device_standing(
    session: AsyncSession, device_id: str, *, now: datetime
) -> Standing | None:
    """What `device_id` is worth; None when it is unknown, revoked, over, or its owner disabled."""
    query = (
        select(
            Device.id,
            User.id,
            User.username,
            User.roles,
            Device.scopes,
            Device.expires_at,
            Device.signed_only,
        )
        .join(User, User.id == Device.user_id)
        .where(
            Device.id == device_id,
            Device.revoked_at.is_(None),
            Device.expires_at > now,
            User.is_active.is_(True),
        )
    )
    row = (await session.execute(query)).first()
    return None if row is None else _standing(*row)


async def key_standing(
    session: AsyncSession, which: ColumnElement[bool], *, now: datetime
) -> Standing | None:
    """What a key is worth; None when it is unknown, revoked, over, or its owner disabled.

    `which` is `key_is(id)` or `key_hashes_to(hash)`.
    """
    query = (
        select(
            ApiKey.id,
            User.id,
            User.username,
            User.roles,
            ApiKey.scopes,
            ApiKey.expires_at,
            ApiKey.signed_only,
        )
        .join(User, User.id == ApiKey.user_id)
        .where(
            which,
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
            User.is_active.is_(True),
        )
    )
    row = (await session.execute(query)).first()
    return None if row is None else _standing(*row)


def key_is(key_id: str) -> ColumnElement[bool]:
    """Selects the key with this id."""
    return ApiKey.id == key_id


def key_hashes_to(secret_hash: bytes) -> ColumnElement[bool]:
    """Selects the key with this hash."""
    return ApiKey.secret_hash == secret_hash


def live_device(user_id: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Selects the sign-ins of `user_id` that still work."""
    return (Device.user_id == user_id, Device.revoked_at.is_(None), Device.expires_at > now)


def live_key(user_id: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Selects the keys of `user_id` that still work."""
    return (
        ApiKey.user_id == user_id,
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
    )


async def find_device(session: AsyncSession, user_id: str, device_id: str) -> Device | None:
    """The live sign-in of `user_id` with this id."""
    query = select(Device).where(Device.id == device_id, *live_device(user_id, clock.utc_now()))
    return await session.scalar(query)


async def page_of_devices(
    session: AsyncSession, user_id: str, paging: PageRequest, *, now: datetime
) -> Page[Device]:
    """The live sign-ins of `user_id`, the newest first.

    Raises:
        BadCursor: The cursor is not of this list.
    """
    query = select(Device).where(*live_device(user_id, now))
    return await newest(session, query, Device.id, paging)


async def page_of_keys(
    session: AsyncSession, user_id: str, paging: PageRequest, *, now: datetime
) -> Page[ApiKey]:
    """The live keys of `user_id`, the newest first.

    Raises:
        BadCursor: The cursor is not of this list.
    """
    query = select(ApiKey).where(*live_key(user_id, now))
    return await newest(session, query, ApiKey.id, paging)


async def count_keys(session: AsyncSession, user_id: str, *, now: datetime) -> int:
    """How many live keys `user_id` has."""
    query = select(func.count()).select_from(ApiKey).where(*live_key(user_id, now))
    return await session.scalar(query) or 0


async def find_refresh(
    session: AsyncSession, token_id: str, secret_hash: bytes
) -> tuple[RefreshToken, Device] | None:
    """A refresh token that was issued, in whatever state, and its device."""
    query = (
        select(RefreshToken, Device)
        .join(Device, Device.id == RefreshToken.device_id)
        .where(RefreshToken.id == token_id, RefreshToken.secret_hash == secret_hash)
    )
    row = (await session.execute(query)).first()
    return None if row is None else (row[0], row[1])


async def list_signing_keys(session: AsyncSession) -> Sequence[SigningKey]:
    """All keys of access tokens, the oldest first."""
    query = select(SigningKey).order_by(SigningKey.created_at, SigningKey.id)
    return (await session.scalars(query)).all()


async def find_setup_link(
    session: AsyncSession, token_hash: bytes, *, now: datetime
) -> SetupLink | None:
    """The unused link with this hash, in its time."""
    return await session.scalar(
        select(SetupLink).where(
            SetupLink.token_hash == token_hash,
            SetupLink.used_at.is_(None),
            SetupLink.expires_at > now,
        )
    )


def _standing(  # noqa: PLR0917 - the columns of a row, in their order
    subject_id: str,
    user_id: str,
    username: str,
    roles: list[str],
    scopes: list[str] | None,
    expires_at: datetime | None,
    signed_only: bool,  # noqa: FBT001 - as above
) -> Standing:
    return Standing(
        subject_id=subject_id,
        user_id=user_id,
        username=username,
        roles=tuple(roles),
        scopes=None if scopes is None else tuple(scopes),
        expires_at=expires_at,
        signed_only=signed_only,
    )
