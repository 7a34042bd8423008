"""What can go wrong with passkeys.

Unauthenticated ── PasskeyRefused
Unprocessable ── PasskeyUnfit
Conflict ── PasskeyKnown, TooManyPasskeys
NotFound ── PasskeyNotFound
Unavailable ── TooManyChallenges
"""

from __future__ import annotations

from homeport.kernel.errors import Conflict, NotFound, Unauthenticated, Unavailable, Unprocessable


class PasskeyRefused(Unauthenticated):
    """The answer proves nobody: challenge, origin, key, signature or counter; which is not told."""

    code = "passkey.refused"
    title = "This passkey does not sign in here"


class PasskeyUnfit(Unprocessable):
    """The new credential is malformed, or not an answer to this account's challenge."""

    code = "passkey.unfit"
    title = "This passkey cannot be registered"


class PasskeyKnown(Conflict):
    """An account has this credential."""

    code = "passkey.known"
    title = "This passkey is registered"


class TooManyPasskeys(Conflict):
    """An account has as many passkeys as it may."""

    code = "passkey.too-many"
    title = "Too many passkeys: remove one first"


class PasskeyNotFound(NotFound):
    """No passkey of the caller has this id."""

    code = "passkey.not-found"
    title = "Passkey not found"


class TooManyChallenges(Unavailable):
    """As many challenges wait to be answered as there may be."""

    code = "passkey.too-many-challenges"
    title = "Too many sign-ins at once"
