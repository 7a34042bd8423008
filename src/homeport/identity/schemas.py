"""What travels: bodies and answers of identity's routes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)

from homeport.identity.mint import TokenPair
from homeport.identity.models import ApiKey, Device, User
from homeport.identity.names import DeviceName, EmailAddress, Username
from homeport.kernel.clock import rfc3339
from homeport.kernel.http.pagination import PageFields

Timestamp = Annotated[
    datetime, PlainSerializer(rfc3339, return_type=str, when_used="json-unless-none")
]
# Bounds what is hashed; the policy's own limits come with a better sentence.
PasswordText = Annotated[str, StringConstraints(max_length=1_024)]
NameText = Annotated[str, StringConstraints(min_length=1, max_length=512)]
KeyName = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=100, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
TokenText = Annotated[str, StringConstraints(min_length=1, max_length=8_192)]


class Body(BaseModel):
    """A request body: unknown members are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RegisterBody(Body):
    """A new account."""

    email: EmailAddress
    username: Username | None = None
    password: PasswordText
    invitation_code: TokenText | None = Field(
        None, description="Needed where REGISTRATION=invite; good once"
    )


class LoginBody(Body):
    """A sign-in as JSON: one of `username` and `email`, either of which takes both."""

    username: NameText | None = None
    email: NameText | None = None
    password: PasswordText
    scope: str = ""

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.username is None) == (self.email is None):
            raise ValueError("give one of username and email")
        return self

    @property
    def name(self) -> str:
        """The name that was given."""
        return self.username or self.email or ""


class LoginForm(Body):
    """A sign-in as OAuth 2 spells it (RFC 6749 section 4.3.2)."""

    grant_type: Literal["password"] | None = None
    username: NameText
    password: PasswordText
    scope: str = ""
    client_id: str | None = None
    client_secret: str | None = None

    @property
    def name(self) -> str:
        """The name that was given."""
        return self.username


class RefreshBody(Body):
    """A refresh token to spend; a page of this server has it in its cookie instead."""

    refresh_token: TokenText | None = None


class LogoutBody(Body):
    """Optionally the refresh token of the sign-in to end, beside the caller's own."""

    refresh_token: TokenText | None = None


class VerifyBody(Body):
    """Optionally another token than the caller's own."""

    token: TokenText | None = None


class PasswordBody(Body):
    """A change of password."""

    current_password: PasswordText
    new_password: PasswordText


class AccountBody(Body):
    """What its owner may change; what is absent stays."""

    username: Username | None = None
    preferences: dict[str, Any] | None = None


class DeviceBody(Body):
    """What may be changed about a sign-in; what is absent stays."""

    name: DeviceName | None = Field(None, min_length=1)
    signed_only: bool | None = Field(
        None, description="Every request of this device must be signed"
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.name is None and self.signed_only is None:
            raise ValueError("give name, signed_only or both")
        return self


class KeyBody(Body):
    """A new API key; no scopes are all that the maker has, no expiry is none."""

    name: KeyName
    scopes: list[str] | None = Field(None, max_length=50)
    expires_at: AwareDatetime | None = None
    signed_only: bool = Field(
        default=False, description="Every request with this key must be signed"
    )


class SetupForm(Body):
    """The page of the one-time link; `username` is there for password managers."""

    token: Annotated[str, StringConstraints(max_length=200)]
    password: PasswordText
    repeated: PasswordText
    username: str = ""


class TokenView(BaseModel):
    """A token pair."""

    access_token: str
    refresh_token: str | None = Field(description="null where it is in the page's cookie")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a scheme, no secret
    expires_in: int = Field(description="Lifetime of the access token, in seconds")

    @classmethod
    def of(cls, pair: TokenPair) -> Self:
        """The pair as it travels."""
        return cls(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            expires_in=pair.expires_in,
        )


class UserView(BaseModel):
    """An account as its owner sees it; `api_key` once, when it was made."""

    id: str
    email: str
    username: str
    roles: list[str]
    is_active: bool
    preferences: dict[str, Any]
    created_at: Timestamp
    api_key: str | None = None

    @classmethod
    def of(cls, user: User, *, api_key: str | None = None) -> Self:
        """The account as it travels."""
        return cls(
            id=user.id,
            email=user.email,
            username=user.username,
            roles=user.roles,
            is_active=user.is_active,
            preferences=user.preferences,
            created_at=user.created_at,
            api_key=api_key,
        )


class SignInView(TokenView):
    """A token pair and whose it is."""

    user: UserView


class CSRFView(BaseModel):
    """What a page sends as `X-CSRF-Token` beside its cookie."""

    csrf_token: str


class DoneView(BaseModel):
    """Done; a sentence for people."""

    message: str


class VerifiedView(BaseModel):
    """Whether a token of the caller's is valid; the rest is there when it is."""

    valid: bool
    expires_at: Timestamp | None = None
    user_id: str | None = None
    email: str | None = None
    username: str | None = None
    roles: list[str] | None = None
    scopes: list[str] | None = None


class DeviceView(BaseModel):
    """A sign-in; `current` is the one that asks."""

    id: str
    name: str
    address: str | None
    created_at: Timestamp
    last_seen_at: Timestamp
    expires_at: Timestamp
    current: bool
    signed_only: bool

    @classmethod
    def of(cls, device: Device, *, current: bool) -> Self:
        """The device as it travels."""
        return cls(
            id=device.id,
            name=device.name,
            address=device.address,
            created_at=device.created_at,
            last_seen_at=device.last_seen_at,
            expires_at=device.expires_at,
            current=current,
            signed_only=device.signed_only,
        )


class DevicePage(PageFields):
    """A page of sign-ins."""

    devices: list[DeviceView]


class KeyView(BaseModel):
    """An API key without the key; `prefix` is its beginning."""

    id: str
    name: str
    prefix: str
    scopes: list[str] | None
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None
    signed_only: bool

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """The key as it travels."""
        return cls.model_validate(_key_members(key))


class NewKeyView(KeyView):
    """An API key with the key itself, which is shown this once."""

    api_key: str

    @classmethod
    def made(cls, key: ApiKey, *, text: str) -> Self:
        """The new key as it travels."""
        return cls.model_validate(_key_members(key) | {"api_key": text})


class KeyPage(PageFields):
    """A page of API keys."""

    api_keys: list[KeyView]


class ResetKeyView(BaseModel):
    """The key that replaced the one called `default`; shown this once."""

    api_key: str
    message: str


class ProfileView(BaseModel):
    """An account with the figures that the other rooms know about it."""

    id: str
    email: str
    username: str
    roles: list[str]
    permissions: list[str]
    preferences: dict[str, Any]
    created_at: Timestamp
    updated_at: Timestamp
    last_login: Timestamp | None
    is_active: bool
    session_count: int
    message_count: int
    token_usage: dict[str, int]


class DeletedView(BaseModel):
    """An account that was deleted."""

    message: str
    email: str


def _key_members(key: ApiKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in KeyView.model_fields}
