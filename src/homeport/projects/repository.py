"""Every query of projects. The one ownership filter is `_of`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.projects.models import Project

MOST_COUNTED = 10_000


def _of(user_id: str) -> ColumnElement[bool]:
    return and_(Project.user_id == user_id, Project.deleted_at.is_(None))


async def find_project(session: AsyncSession, project_id: str) -> Project | None:
    """A project that is not deleted, afresh, whoever asks."""
    statement = select(Project).where(Project.id == project_id, Project.deleted_at.is_(None))
    return await session.scalar(statement.execution_options(populate_existing=True))


async def find_owned(session: AsyncSession, project_id: str, user_id: str) -> Project | None:
    """A project of this person's."""
    statement = select(Project).where(_of(user_id), Project.id == project_id)
    return await session.scalar(statement.execution_options(populate_existing=True))


async def find_personal(session: AsyncSession, user_id: str) -> Project | None:
    """The project that this person has without asking for it."""
    return await session.scalar(select(Project).where(_of(user_id), Project.is_personal))


async def list_projects(
    session: AsyncSession,
    user_id: str,
    *,
    is_active: bool | None,
    limit: int,
    skip: int,
    after: str | None,
) -> Sequence[Project]:
    """This person's projects, the newest first (ids are ordered by time).

    Args:
        is_active: Only those that are, or are not.
        limit: Rows at most.
        skip: Rows to pass over.
        after: The id that the page before ended with.
    """
    statement = select(Project).where(_filtered(user_id, is_active))
    if after is not None:
        statement = statement.where(Project.id < after)
    statement = statement.order_by(Project.id.desc()).offset(skip).limit(limit)
    return (await session.scalars(statement)).all()


async def count_projects(session: AsyncSession, user_id: str, *, is_active: bool | None) -> int:
    """How many there are, counted up to one more than 10,000."""
    some = select(Project.id).where(_filtered(user_id, is_active)).limit(MOST_COUNTED + 1)
    return await session.scalar(select(func.count()).select_from(some.subquery())) or 0


def _filtered(user_id: str, is_active: bool | None) -> ColumnElement[bool]:  # noqa: FBT001 - a column's value
    return _of(user_id) if is_active is None else and_(_of(user_id), Project.is_active == is_active)
