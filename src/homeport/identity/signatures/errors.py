"""What can be wrong with a signed request.

Unauthenticated ── SignatureRequired, SignatureRefused
Conflict ── RequestKeyTaken, TooManyRequestKeys
NotFound ── RequestKeyNotFound
"""

from __future__ import annotations

from homeport.kernel.errors import Conflict, NotFound, Unauthenticated


class SignatureRequired(Unauthenticated):
    """The request carries no signature, and has to; `covers` and `tag` say what is expected."""

    code = "auth.signature-required"
    title = "This request has to be signed"


class SignatureRefused(Unauthenticated):
    """There is a signature and it does not hold; the detail says why."""

    code = "auth.signature-refused"
    title = "The signature of this request does not hold"


class RequestKeyTaken(Conflict):
    """The account has this key already."""

    code = "request-key.taken"
    title = "This key is registered already"


class TooManyRequestKeys(Conflict):
    """An account holds as many keys as it may."""

    code = "request-key.too-many"
    title = "Too many signing keys: delete one first"


class RequestKeyNotFound(NotFound):
    """No key of the caller has this id."""

    code = "request-key.not-found"
    title = "Signing key not found"
