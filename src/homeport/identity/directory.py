"""The directory of accounts, as those see it who manage them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, String, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.errors import AccountNotFound
from homeport.identity.models import User
from homeport.identity.names import folded
from homeport.identity.service.erase import IS_ERASED
from homeport.kernel.ids import is_id

MOST_COUNTED: Final = 10_000
STATUSES: Final = ("active", "disabled", "deleted")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which accounts are asked for; None is no limit.

    Attributes:
        status: One of `STATUSES`.
        role: A role that they hold.
        search: Part of the name or of the address, in any case.
    """

    status: str | None = None
    role: str | None = None
    search: str | None = None


async def page_of_accounts(
    session: AsyncSession, wanted: Wanted, *, limit: int, skip: int, after: str | None
) -> Sequence[User]:
    """The accounts that are asked for, the newest first."""
    query = select(User).where(*_chosen(wanted)).order_by(User.id.desc())
    if after is not None:
        query = query.where(User.id < after)
    return (await session.scalars(query.limit(limit).offset(skip))).all()


async def count_accounts(session: AsyncSession, wanted: Wanted) -> int:
    """How many there are; one more than 10,000 stands for all that are more."""
    few = select(User.id).where(*_chosen(wanted)).limit(MOST_COUNTED + 1).subquery()
    return await session.scalar(select(func.count()).select_from(few)) or 0


async def account_by_id(session: AsyncSession, user_id: str) -> User:
    """Somebody's account, afresh.

    Raises:
        AccountNotFound: There is none, or nothing is left of it.
    """
    found = None
    if is_id(user_id):
        query = select(User).where(User.id == user_id, ~IS_ERASED)
        found = await session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise AccountNotFound(f"No account {user_id[:64]!r}.")
    return found


def _chosen(wanted: Wanted) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [~IS_ERASED]
    if wanted.status == "deleted":
        where.append(User.deleted_at.is_not(None))
    elif wanted.status is not None:
        where += [User.is_active.is_(wanted.status == "active"), User.deleted_at.is_(None)]
    if wanted.role is not None:
        # A list of a few words that the code knows, as text on both databases.
        where.append(cast(User.roles, String).contains(f'"{wanted.role}"', autoescape=True))
    if wanted.search is not None:
        part = folded(wanted.search)
        keys = (User.username_key, User.email_key)
        where.append(or_(*(key.contains(part, autoescape=True) for key in keys)))
    return where
