"""What travels: bodies and answers of the members routes."""

from __future__ import annotations

from typing import Annotated, Self, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from homeport.kernel.http.pagination import PageFields
from homeport.projects.members.repository import Shown
from homeport.projects.roles import Role
from homeport.projects.schemas import Timestamp

NameText = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class MemberBody(BaseModel):
    """To whom the project is opened, by one of three names, and as what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: Annotated[str, StringConstraints(max_length=36)] | None = None
    username: NameText | None = None
    email: NameText | None = None
    role: Role = Field(
        description="viewer looks; developer also changes files and runs the agent; owner also "
        "changes, shares and deletes the project"
    )

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if sum(name is not None for name in (self.user_id, self.username, self.email)) != 1:
            raise ValueError("give one of user_id, username and email")
        return self


class MemberView(BaseModel):
    """Somebody to whom the project is open."""

    user_id: str
    username: str
    role: Role
    since: Timestamp

    @classmethod
    def of(cls, shown: Shown) -> Self:
        """The member as it travels."""
        return cls(
            user_id=shown.user_id,
            username=shown.username,
            role=cast("Role", shown.role),
            since=shown.since,
        )


class MemberPage(PageFields):
    """A page of the people to whom the project is open."""

    members: list[MemberView]
