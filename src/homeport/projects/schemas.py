"""What travels: bodies and answers of the projects routes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints

from homeport.kernel.clock import rfc3339
from homeport.kernel.http.pagination import PageFields
from homeport.kernel.http.twins import Twinned
from homeport.projects.policy import PathText, ProjectSettings
from homeport.projects.repository import Standing
from homeport.projects.roles import Role
from homeport.projects.text import plain_document, plain_text

Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
NameText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), plain_text
]
DescriptionText = Annotated[str, StringConstraints(max_length=10_000), plain_text]
Document = Annotated[dict[str, Any], plain_document]


class ProjectBody(BaseModel):
    """A new project. Without `path` an empty workspace is made for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: NameText
    description: DescriptionText | None = None
    path: PathText | None = Field(default=None, description="an absolute directory of the server")
    metadata: Document | None = None
    settings: ProjectSettings = Field(default_factory=ProjectSettings)


class ProjectChanges(BaseModel):
    """What changes of a project; a member that is absent or null stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: NameText | None = None
    description: DescriptionText | None = None
    path: PathText | None = None
    metadata: Document | None = None
    settings: ProjectSettings | None = None
    is_active: bool | None = None


class ProjectView(Twinned):
    """A project as its people see it."""

    id: str
    name: str
    description: str
    path: str = Field(description="Absolute, on the server")
    is_active: bool
    is_personal: bool = Field(description="The one that a person has without asking for it")
    metadata: dict[str, Any]
    settings: ProjectSettings
    created_at: Timestamp
    updated_at: Timestamp
    user_id: str = Field(description="Who made it")
    role: Role = Field(description="What the caller is in it")

    @classmethod
    def of(cls, standing: Standing) -> Self:
        """The project as it stands to the caller."""
        row = standing.project
        return cls(
            id=row.id,
            name=row.name,
            description=row.description,
            path=row.path,
            is_active=row.is_active,
            is_personal=row.is_personal,
            metadata=row.labels,
            settings=ProjectSettings.model_validate(row.settings),
            created_at=row.created_at,
            updated_at=row.updated_at,
            user_id=row.user_id,
            role=cast("Role", standing.role),
        )


class ProjectPage(PageFields):
    """A page of projects, the newest first."""

    projects: list[ProjectView]


class ProjectDeletedView(BaseModel):
    """What a deletion answers."""

    message: str
