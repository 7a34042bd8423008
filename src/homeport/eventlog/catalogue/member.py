"""Facts of who shares a project. They stand on `project:<id>`."""

from __future__ import annotations

from typing import Literal

from homeport.eventlog.catalogue.base import Event

MemberRole = Literal["viewer", "developer", "owner"]


class MemberAdded(Event):
    """A project was opened to somebody."""

    kind = "member.added"

    project_id: str
    user_id: str
    role: MemberRole


class MemberRoleChanged(Event):
    """What a member may do in the project was changed."""

    kind = "member.role_changed"

    project_id: str
    user_id: str
    before: MemberRole
    after: MemberRole


class MemberRemoved(Event):
    """A project was closed to somebody; what they had at work in it is stopped."""

    kind = "member.removed"

    project_id: str
    user_id: str
    reason: Literal["removed", "left", "erased"]
