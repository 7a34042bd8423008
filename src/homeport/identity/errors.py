"""What can go wrong between a person and their account.

Unauthenticated
├── CredentialRefused, AmbiguousCredential    the credential of a request
├── TicketRefused                             the ticket of a stream
└── SignInRefused, RefreshRefused, WrongPassword
Forbidden
├── RoleRequired, ScopeRequired               what the caller may do
├── AccountDisabled, NotFromHere, OriginMissing, ForeignPage
└── RegistrationClosed, InvitationRequired
Conflict
├── EmailTaken, UsernameTaken, LastAdmin, AccountIsDeleted, AccountErased
└── TooManyKeys
Unprocessable
├── WeakPassword, PasswordUnchanged
├── UnknownScope, UnknownRole, ExpiryInvalid
└── PreferencesTooLarge
Invalid ── ConfirmationMissing, CookieNeedsTLS
NotFound ── DeviceNotFound, KeyNotFound, AccountNotFound, SigningKeyNotFound
└── Gone ── SetupLinkSpent
Locked ── AccountLocked
RateLimited ── TooManyGuesses
Unavailable ── PasswordsBusy, SecretUnknown
"""

from __future__ import annotations

from homeport.kernel.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    Locked,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)


class CredentialRefused(Unauthenticated):
    """The token or key is malformed, unknown, expired or revoked; which of them is not told."""

    code = "auth.invalid-credential"
    title = "This credential is not valid"


class AmbiguousCredential(Unauthenticated):
    """Two different credentials came with one request."""

    code = "auth.ambiguous-credential"
    title = "Send one credential, not two different ones"


class TicketRefused(Unauthenticated):
    """The ticket is unknown, spent, expired or for something else; which of them is not told."""

    code = "auth.ticket-refused"
    title = "This ticket is used up or too old: fetch another"


class SignInRefused(Unauthenticated):
    """The name or the password is wrong; which of them is not told."""

    code = "auth.sign-in-refused"
    title = "Wrong name or password"


class RefreshRefused(Unauthenticated):
    """The refresh token is malformed, unknown, spent, expired or revoked; which is not told."""

    code = "auth.refresh-refused"
    title = "This refresh token is not valid: sign in again"


class WrongPassword(Unauthenticated):
    """A signed-in person gave a wrong current password."""

    code = "auth.wrong-password"
    title = "The current password is wrong"


class RoleRequired(Forbidden):
    """The caller's roles do not hold the permission; `needs` names it, `roles` who holds it."""

    code = "auth.role-required"
    title = "Your role does not allow this"


class ScopeRequired(Forbidden):
    """The roles hold the permission and the credential's scopes do not; `needs` names it."""

    code = "auth.scope-required"
    title = "This credential's scopes do not allow this"


class AccountDisabled(Forbidden):
    """The password is right and the account is switched off."""

    code = "auth.account-disabled"
    title = "This account is disabled"


class RegistrationClosed(Forbidden):
    """Nobody registers here."""

    code = "auth.registration-closed"
    title = "Registration is closed on this server"


class InvitationRequired(Forbidden):
    """Registration needs an invitation."""

    code = "auth.invitation-required"
    title = "Registration needs an invitation"


class NotFromHere(Forbidden):
    """The page answers on the machine that the server runs on, and nowhere else."""

    code = "setup.loopback-only"
    title = "Open this link on the machine that runs Homeport"


class ForeignPage(Forbidden):
    """A cookie came with a request that no page of this server has sent, or not knowingly."""

    code = "auth.csrf-refused"
    title = "Only a page of this server may use its cookie"


class CookieNeedsTLS(Invalid):
    """A browser keeps the cookie over TLS, or on the server's own machine, and nowhere else."""

    code = "auth.cookie-needs-tls"
    title = "A sign-in by cookie needs https, or localhost"


class OriginMissing(Forbidden):
    """A ticket is for pages, and a page's WebSocket says where it comes from."""

    code = "auth.origin-missing"
    title = "A ticket opens a WebSocket for a page only: send a header instead"


class EmailTaken(Conflict):
    """An account has this address, in this or another spelling of its case."""

    code = "account.email-taken"
    title = "An account with this email address exists"


class UsernameTaken(Conflict):
    """An account has this name, in another case, or in letters that look the same."""

    code = "account.username-taken"
    title = "This username is taken"


class TooManyKeys(Conflict):
    """An account holds as many live API keys as it may."""

    code = "api-key.too-many"
    title = "Too many API keys: revoke one first"


class LastAdmin(Conflict):
    """Nobody would be left to manage the server."""

    code = "account.last-admin"
    title = "This is the last active admin"


class AccountIsDeleted(Conflict):
    """The account is deleted: it is taken back first, or left alone."""

    code = "account.deleted"
    title = "This account is deleted: take that back first"


class AccountErased(Conflict):
    """The account was deleted too long ago: what it held is gone, or going."""

    code = "account.erased"
    title = "This deletion cannot be taken back any more"


class WeakPassword(Unprocessable):
    """The password is refused; the detail and `issues` say what would help."""

    code = "password.weak"
    title = "Weak password"


class PasswordUnchanged(Unprocessable):
    """The new password is the old one."""

    code = "password.unchanged"
    title = "The new password is the current one"


class UnknownScope(Unprocessable):
    """A scope that does not exist, or that the maker does not hold."""

    code = "auth.unknown-scope"
    title = "This scope cannot be granted"


class UnknownRole(Unprocessable):
    """A role that does not exist."""

    code = "account.unknown-role"
    title = "There is no such role"


class PreferencesTooLarge(Unprocessable):
    """The preferences are more bytes than an account may keep."""

    code = "account.preferences-too-large"
    title = "The preferences are too large"


class ExpiryInvalid(Unprocessable):
    """The expiry lies in the past, or beyond what the maker's own credential allows."""

    code = "api-key.expiry-invalid"
    title = "This expiry cannot be granted"


class ConfirmationMissing(Invalid):
    """Something that is not undone by a second call wants to be confirmed."""

    code = "account.confirmation-missing"
    title = "Confirm this with ?confirm=true"


class DeviceNotFound(NotFound):
    """No live device of the caller has this id."""

    code = "device.not-found"
    title = "Device not found"


class KeyNotFound(NotFound):
    """No live key of the caller has this id."""

    code = "api-key.not-found"
    title = "API key not found"


class AccountNotFound(NotFound):
    """No account has this name."""

    code = "account.not-found"
    title = "Account not found"


class SigningKeyNotFound(NotFound):
    """No key for access tokens has this id."""

    code = "signing-key.not-found"
    title = "Signing key not found"


class SetupLinkSpent(Gone):
    """The one-time link is unknown, used or older than its ten minutes; which is not told."""

    code = "setup.link-spent"
    title = "This link is used up or too old"


class AccountLocked(Locked):
    """Too many wrong guesses in a row; `locked_until` says when it ends.

    A name that nobody has is locked like one that exists.
    """

    code = "auth.locked"
    title = "Locked for a while after too many wrong guesses"


class TooManyGuesses(RateLimited):
    """Wrong guesses came too fast, at this account or from this address."""

    code = "auth.too-many-guesses"
    title = "Too many wrong guesses: wait a little"


class SecretUnknown(Unavailable):
    """This node does not know a secret of the server that another one works with already."""

    code = "auth.secret-unknown"
    title = "The server's secret is being replaced"


class PasswordsBusy(Unavailable):
    """More passwords wait to be checked than the queue holds."""

    code = "auth.busy"
    title = "Too many sign-ins at once"
