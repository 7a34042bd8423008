"""What can go wrong with second factors.

Unauthenticated ── SecondFactorRequired, PendingSignInRefused, CodeRefused
Forbidden ── StepUpRequired, SignInRequired, DeviceRequired
Conflict ── TotpEnabledAlready, NoSecondFactor
NotFound ── TotpNotFound, TotpSetupNotFound
"""

from __future__ import annotations

from homeport.kernel.errors import Conflict, Forbidden, NotFound, Unauthenticated


class SecondFactorRequired(Unauthenticated):
    """The password is right; `mfa_token` and one of `methods` complete the sign-in."""

    code = "auth.mfa-required"
    title = "Show a second factor to sign in"


class PendingSignInRefused(Unauthenticated):
    """The `mfa_token` is unknown, used, or older than its five minutes; which is not told."""

    code = "auth.mfa-token-refused"
    title = "This sign-in is over: begin again with the password"


class CodeRefused(Unauthenticated):
    """The code is wrong, too old, or used; which of them is not told."""

    code = "auth.code-refused"
    title = "This code is not valid"


class StepUpRequired(Forbidden):
    """The account has a second factor and this device has not shown one lately."""

    code = "auth.step-up-required"
    title = "Show a second factor first"


class SignInRequired(Forbidden):
    """The account has no second factor yet, and nobody signed in here within five minutes."""

    code = "auth.sign-in-required"
    title = "Sign in again to add the first second factor"


class DeviceRequired(Forbidden):
    """Only somebody who signed in may do this: an API key cannot show a second factor."""

    code = "auth.device-required"
    title = "Sign in to do this: an API key cannot"


class TotpEnabledAlready(Conflict):
    """The account has an authenticator app."""

    code = "mfa.totp-enabled"
    title = "An authenticator app is set up: remove it first"


class NoSecondFactor(Conflict):
    """The account has no second factor to show, or to keep recovery codes for."""

    code = "mfa.none"
    title = "This account has no second factor"


class TotpNotFound(NotFound):
    """The account has no authenticator app."""

    code = "mfa.totp-not-found"
    title = "No authenticator app is set up"


class TotpSetupNotFound(NotFound):
    """No authenticator app waits to be confirmed, or it has waited for too long."""

    code = "mfa.setup-not-found"
    title = "Begin the setup again"
