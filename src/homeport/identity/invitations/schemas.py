"""What travels when people are invited."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, StringConstraints

from homeport.identity.invitations.models import Invitation
from homeport.identity.invitations.service import LIFETIME, LONGEST, SHORTEST
from homeport.identity.names import EmailAddress
from homeport.identity.roles import ROLES, USER
from homeport.identity.schemas import Body, Timestamp
from homeport.kernel.http.pagination import PageFields

_SECONDS = int(LIFETIME.total_seconds())
NoteText = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]


class InvitationBody(Body):
    """An invitation to make one account."""

    role: str = Field(USER, max_length=32, json_schema_extra={"enum": list(ROLES)})
    email: EmailAddress | None = Field(None, description="The only address that may use it")
    note: NoteText | None = Field(None, description="For whoever looks at the list")
    expires_in: int = Field(
        _SECONDS,
        ge=int(SHORTEST.total_seconds()),
        le=int(LONGEST.total_seconds()),
        description="Seconds",
    )


class InvitationView(BaseModel):
    """An invitation that nobody has used yet; `invited_by` is null for the operator."""

    id: str
    role: str
    email: str | None
    note: str | None
    invited_by: str | None
    created_at: Timestamp
    expires_at: Timestamp

    @classmethod
    def of(cls, invitation: Invitation) -> Self:
        """The invitation as it travels."""
        return cls(
            id=invitation.id,
            role=invitation.role,
            email=invitation.email,
            note=invitation.note,
            invited_by=invitation.user_id,
            created_at=invitation.created_at,
            expires_at=invitation.expires_at,
        )


class InvitedView(InvitationView):
    """A new invitation with its code, which is not shown again."""

    invitation_code: str


class InvitationPage(PageFields):
    """A page of invitations, the newest first."""

    invitations: list[InvitationView]
