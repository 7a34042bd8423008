"""The directory of accounts, as those see it who manage them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, String, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.errors import AccountNotFound
from homeport.identity.lookalikes import username_key
from homeport.identity.models import User
from homeport.identity.names import folded
from homeport.identity.service.erase import IS_ERASED
from homeport.kernel.http.listing import newest
from homeport.kernel.http.pagination import Page, PageRequest
from homeport.kernel.ids import is_id

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
    session: AsyncSession, wanted: Wanted, paging: PageRequest
) -> Page[User]:
    """The accounts that are asked for, the newest first.

    Raises:
        BadCursor: The cursor is not of this list.
    """
    return await newest(session, select(User).where(*_chosen(wanted)), User.id, paging)


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
        named = User.username_key.contains(username_key(wanted.search), autoescape=True)
        reached = User.email_key.contains(folded(wanted.search), autoescape=True)
        where.append(or_(named, reached))
    return where
