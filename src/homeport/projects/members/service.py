"""Opens a project to somebody, changes what they may do in it, closes it to them.

The caller has asked `project_for` in the same unit.
"""

from __future__ import annotations

from typing import Literal, cast

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.member import MemberAdded, MemberRemoved, MemberRoleChanged
from homeport.identity.models import User
from homeport.kernel import clock
from homeport.projects.errors import FounderStays, MemberNotFound, PersonalStays
from homeport.projects.members.repository import Shown, find_member
from homeport.projects.models import Project, ProjectMember
from homeport.projects.roles import Role
from homeport.projects.service import project_stream


async def put_member(
    unit: Unit, project: Project, user: User, *, role: Role, actor: str
) -> tuple[Shown, str | None]:
    """Opens the project to `user`, or changes their role; and the role that they had before.

    Raises:
        FounderStays: It is who made the project.
        PersonalStays: It is a personal workspace.
    """
    if project.is_personal:
        raise PersonalStays
    if user.id == project.user_id:
        raise FounderStays
    now = clock.utc_now()
    member = await find_member(unit.session, project.id, user.id)
    before = None if member is None else member.role
    if member is None:
        member = ProjectMember(
            project_id=project.id, user_id=user.id, role=role, created_at=now, updated_at=now
        )
        unit.session.add(member)
        added = MemberAdded(project_id=project.id, user_id=user.id, role=role)
        unit.append(project_stream(project.id), added, actor=actor)
    elif before != role:
        member.role, member.updated_at = role, now
        changed = MemberRoleChanged(
            project_id=project.id, user_id=user.id, before=cast("Role", before), after=role
        )
        unit.append(project_stream(project.id), changed, actor=actor)
    await unit.session.flush()
    return Shown(user.id, user.username, role, member.created_at), before


async def remove_member(
    unit: Unit,
    project: Project,
    user_id: str,
    *,
    reason: Literal["removed", "left", "erased"],
    actor: str,
) -> None:
    """Closes the project to a member.

    Raises:
        FounderStays: It is who made the project.
        MemberNotFound: It was not open to them.
    """
    if user_id == project.user_id:
        raise FounderStays
    member = await find_member(unit.session, project.id, user_id)
    if member is None:
        raise MemberNotFound
    await unit.session.delete(member)
    removed = MemberRemoved(project_id=project.id, user_id=user_id, reason=reason)
    unit.append(project_stream(project.id), removed, actor=actor)
    await unit.session.flush()
