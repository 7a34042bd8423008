"""What travels when accounts are managed."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field

from homeport.identity.models import User
from homeport.identity.schemas import Body, Timestamp
from homeport.kernel.http.pagination import PageFields


class AccountChange(Body):
    """What an admin changes of an account; what is absent stays."""

    roles: list[str] | None = Field(default=None, max_length=16, description="All that it has then")
    is_active: bool | None = Field(
        default=None, description="false ends its sign-ins; true also takes a deletion back"
    )


class AccountView(BaseModel):
    """An account as those see it who manage it."""

    id: str
    username: str
    email: str
    roles: list[str]
    is_active: bool
    created_at: Timestamp
    updated_at: Timestamp
    last_login: Timestamp | None
    deleted_at: Timestamp | None = Field(description="It is erased 30 days after this")

    @classmethod
    def of(cls, user: User) -> Self:
        """The account as it travels."""
        return cls(
            id=user.id,
            username=user.username,
            email=user.email,
            roles=user.roles,
            is_active=user.is_active,
            created_at=user.created_at,
            updated_at=user.updated_at,
            last_login=user.last_login_at,
            deleted_at=user.deleted_at,
        )


class AccountPage(PageFields):
    """A page of accounts, the newest first."""

    users: list[AccountView]
