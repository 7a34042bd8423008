"""Facts of accounts and of what proves who calls. No payload holds a secret or a hash of one.

They stand on `account:<id>`; `signing_key.created` on `system`, and there too what was tried with
a name that nobody has.
"""

from __future__ import annotations

from typing import Literal

from homeport.eventlog.catalogue.base import Event

LoginMethod = Literal["password", "registration", "passkey", "pairing"]
AccountOrigin = Literal["registration", "first-start", "operator"]
LoginRefusal = Literal["unknown", "password", "no-password", "disabled"]
DeviceEnd = Literal[
    "logout",
    "logout-all",
    "revoked",
    "password-changed",
    "refresh-reused",
    "account-disabled",
    "account-deleted",
    "factors-changed",
]
KeyEnd = Literal["revoked", "reset", "account-deleted"]


class AccountCreatedV1(Event):
    """An account was made."""

    kind = "account.created"

    user_id: str
    username: str
    email: str
    roles: list[str]
    how: Literal["registration", "first-start"]


class AccountCreated(Event):
    """An account was made; `how` says by whom: its owner, the first start, or the operator."""

    kind = "account.created"
    version = 2

    user_id: str
    username: str
    email: str
    roles: list[str]
    how: AccountOrigin


class AccountUpdated(Event):
    """Its owner changed the name or the preferences; `changed` names the members."""

    kind = "account.updated"

    changed: list[str]
    username: str | None = None


class AccountDisabled(Event):
    """The account was switched off; whatever proved its owner stopped doing so."""

    kind = "account.disabled"


class AccountEnabled(Event):
    """The account was switched on again."""

    kind = "account.enabled"


class AccountDeleted(Event):
    """The account was deleted; what it holds is erased after a time."""

    kind = "account.deleted"


class AccountRestored(Event):
    """A deletion was taken back before anything was erased."""

    kind = "account.restored"


class RolesChanged(Event):
    """The account's roles were replaced."""

    kind = "roles.changed"

    before: list[str]
    after: list[str]


class LoginSucceeded(Event):
    """Somebody signed in; a device is one sign-in."""

    kind = "login.succeeded"
    version = 2

    device_id: str
    method: LoginMethod
    address: str | None = None
    user_agent: str | None = None


class LoginFailed(Event):
    """Somebody tried to sign in.

    `name_digest` is a keyed digest of the name that was typed: equal names are seen to be equal,
    and a password typed into the wrong field is not kept.
    """

    kind = "login.failed"

    reason: LoginRefusal
    name_digest: str
    address: str | None = None


class LoginLocked(Event):
    """The last guess was taken: until then no further one of its kind is looked at.

    Ten wrong passwords are one kind, five wrong codes of a second factor the other.

    A guess that was under way and is right ends the lock. `name_digest` stands where no account has
    the name, as in `login.failed`.
    """

    kind = "login.locked"

    until: str
    failures: int
    name_digest: str | None = None
    address: str | None = None


class LoginUnlocked(Event):
    """The wrong guesses were forgotten: by the operator, an admin, or with a new password."""

    kind = "login.unlocked"


class RefreshRotated(Event):
    """A device's refresh token was replaced by its child."""

    kind = "refresh.rotated"

    device_id: str


class RefreshReused(Event):
    """A spent refresh token came again: its family, the device, is revoked."""

    kind = "refresh.reused"

    device_id: str
    token_id: str
    address: str | None = None


class DeviceRenamed(Event):
    """Its owner called a sign-in something else."""

    kind = "device.renamed"

    device_id: str
    name: str


class DeviceRevoked(Event):
    """A sign-in ended, and its access and refresh tokens with it."""

    kind = "device.revoked"
    version = 2

    device_id: str
    reason: DeviceEnd


class ApiKeyCreatedV1(Event):
    """An API key was made."""

    kind = "api_key.created"

    api_key_id: str
    name: str
    scopes: list[str] | None = None
    expires_at: str | None = None


class ApiKeyCreated(Event):
    """An API key was made; `signed_only` says that each request with it must be signed."""

    kind = "api_key.created"
    version = 2

    api_key_id: str
    name: str
    signed_only: bool
    scopes: list[str] | None = None
    expires_at: str | None = None


class ApiKeyRevoked(Event):
    """An API key stopped working."""

    kind = "api_key.revoked"

    api_key_id: str
    reason: KeyEnd


class PasswordChanged(Event):
    """The password was set or replaced."""

    kind = "password.changed"

    how: Literal["change", "link", "terminal"]


class PasswordRehashed(Event):
    """At a sign-in the stored hash was replaced by a stronger one of the same password."""

    kind = "password.rehashed"

    before: str
    after: str


class SetupLinkCreated(Event):
    """A one-time link that sets the password was made."""

    kind = "setup_link.created"

    link_id: str
    expires_at: str


class SetupLinkUsed(Event):
    """A one-time link was used."""

    kind = "setup_link.used"

    link_id: str


class SigningKeyCreated(Event):
    """A key for access tokens was made."""

    kind = "signing_key.created"

    key_id: str
    algorithm: str
    state: Literal["next", "active", "retiring"]
