"""Finds the people to whom a project is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.models import User
from homeport.projects.models import Project, ProjectMember
from homeport.projects.roles import OWNER


@dataclass(frozen=True, slots=True)
class Shown:
    """Somebody to whom a project is open.

    Attributes:
        since: When it was opened to them.
    """

    user_id: str
    username: str
    role: str
    since: datetime


async def find_member(session: AsyncSession, project_id: str, user_id: str) -> ProjectMember | None:
    """The row of a member, afresh; who made the project has none."""
    return await session.get(ProjectMember, (project_id, user_id), populate_existing=True)


async def list_members(
    session: AsyncSession, project: Project, *, limit: int, skip: int, after: str | None
) -> Sequence[Shown]:
    """Who made the project and its members, in the order of their accounts."""
    people = _people(project).subquery()
    query = select(people).order_by(people.c.user_id)
    if after is not None:
        query = query.where(people.c.user_id > after)
    rows = await session.execute(query.limit(limit).offset(skip))
    return [Shown(*row) for row in rows]


async def count_members(session: AsyncSession, project: Project) -> int:
    """How many there are, with who made it."""
    people = _people(project).subquery()
    return await session.scalar(select(func.count()).select_from(people)) or 0


def _people(project: Project) -> Select[str, str, str, datetime]:
    founder = select(
        User.id.label("user_id"),
        User.username,
        literal(OWNER).label("role"),
        Project.created_at.label("since"),
    ).join_from(Project, User, User.id == Project.user_id)
    members = select(
        User.id, User.username, ProjectMember.role, ProjectMember.created_at
    ).join_from(ProjectMember, User, User.id == ProjectMember.user_id)
    both = founder.where(Project.id == project.id).union_all(
        members.where(ProjectMember.project_id == project.id)
    )
    people = both.subquery()
    return select(people.c.user_id, people.c.username, people.c.role, people.c.since)
