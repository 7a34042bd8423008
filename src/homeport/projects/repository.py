"""Every query of projects. The filters are `_of` (made by) and `_standings` (open to)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    String,
    and_,
    bindparam,
    exists,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.models import User
from homeport.kernel.http.listing import newest_rows
from homeport.kernel.http.pagination import Page, PageRequest
from homeport.projects.models import Project, ProjectMember
from homeport.projects.roles import OWNER


@dataclass(frozen=True, slots=True)
class Standing:
    """A project, and what somebody is in it."""

    project: Project
    role: str


def _standings(user_id: str | BindParameter[str]) -> Select[Project, str]:
    """Projects that are open to this person, each with their role; who made it has no row."""
    mine = and_(ProjectMember.project_id == Project.id, ProjectMember.user_id == user_id)
    return (
        select(Project, ProjectMember.role)
        .outerjoin(ProjectMember, mine)
        .where(
            Project.deleted_at.is_(None),
            or_(Project.user_id == user_id, ProjectMember.role.is_not(None)),
        )
    )


# Asked before every message and every call of a tool, so built and compiled once.
_user_id = bindparam("user_id", type_=String)
_of_anybody = (
    _standings(_user_id)
    .where(Project.id == bindparam("project_id"))
    .execution_options(populate_existing=True)
)
_of_active = _of_anybody.where(exists().where(User.id == _user_id, User.is_active))


def _of(user_id: str) -> ColumnElement[bool]:
    return and_(Project.user_id == user_id, Project.deleted_at.is_(None))


async def find_standing(
    session: AsyncSession, project_id: str, user_id: str, *, only_active: bool = False
) -> Standing | None:
    """The project as it stands to this person; None when it is not open to them.

    Args:
        only_active: None also when their account is switched off.
    """
    values = {"project_id": project_id, "user_id": user_id}
    row = (await session.execute(_of_active if only_active else _of_anybody, values)).first()
    return None if row is None else _standing(row[0], row[1], user_id)


async def find_personal(session: AsyncSession, user_id: str) -> Project | None:
    """The project that this person has without asking for it."""
    return await session.scalar(select(Project).where(_of(user_id), Project.is_personal))


async def page_of_projects(
    session: AsyncSession, user_id: str, paging: PageRequest, *, is_active: bool | None
) -> Page[Standing]:
    """The projects that are open to this person, the newest first (ids are ordered by time).

    Args:
        is_active: Only those that are, or are not.

    Raises:
        BadCursor: The cursor is not of this list.
    """
    page = await newest_rows(session, _listed(user_id, is_active=is_active), Project.id, paging)
    return page.of([_standing(project, role, user_id) for project, role in page.items])


def _standing(project: Project, role: str | None, user_id: str) -> Standing:
    return Standing(project, OWNER if project.user_id == user_id else role or "")


def _listed(user_id: str, *, is_active: bool | None) -> Select[Project, str]:
    """`_standings`, by the indexes of who made what and who shares what."""
    made = select(Project.id).where(Project.user_id == user_id)
    shared = select(ProjectMember.project_id).where(ProjectMember.user_id == user_id)
    statement = _standings(user_id).where(Project.id.in_(made.union_all(shared)))
    return statement if is_active is None else statement.where(Project.is_active == is_active)
