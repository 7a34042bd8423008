"""The kinds of failure that Homeport knows, free of any transport.

    HomeportError
    ├── Invalid            the request is understood and wrong            (400)
    │   └── Unprocessable  its payload does not fit the schema            (422)
    ├── Unauthenticated    nobody is known to be calling                  (401)
    ├── Forbidden          known, visible, and not allowed                (403)
    │   └── PaymentRequired   over a budget                               (402)
    ├── NotFound           absent, or not visible to the caller           (404)
    │   └── Gone           was here; names its successor                  (410)
    ├── Conflict           the state says no                              (409)
    │   └── PreconditionFailed  somebody changed it first                 (412)
    ├── TooLarge           more bytes than the limit                      (413)
    ├── UnsupportedMedia   a type that is not taken                       (415)
    ├── Locked             closed for a time that the error names         (423)
    ├── RateLimited        too often                                      (429)
    ├── Upstream           somebody we depend on answered wrongly         (502)
    ├── Unavailable        not now; try again                             (503)
    │   └── StorageFull    no space left to keep what was sent            (507)
    └── TimedOut           somebody we depend on did not answer           (504)

The numbers are what `kernel.http.errors` makes of them; nothing else in the tree knows a status.
"""

from __future__ import annotations

from typing import Any, ClassVar


class HomeportError(Exception):
    """A failure with a stable code.

    Subclasses set `code` (`noun.what-happened`, never renamed) and `title`. An instance carries a
    `detail` for people and `members`: extra facts that the error document shows beside it.

    Args:
        detail: One sentence for the person who reads it; never echoes a secret.
        retry_after: Seconds after which the same request may succeed.
        param: The request member at fault, when there is one.
        members: Extra JSON-serialisable members of the error document.
    """

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after: float | None = None,
        param: str | None = None,
        **members: Any,
    ) -> None:
        self.detail = detail or self.title
        self.retry_after = retry_after
        self.param = param
        self.members = members
        super().__init__(self.detail)


class Invalid(HomeportError):
    """The request is understood and wrong."""

    code = "request.invalid"
    title = "The request is not valid"


class Unprocessable(Invalid):
    """The payload does not fit the schema; `details` lists `{loc, message, type}`."""

    code = "request.unprocessable"
    title = "The payload does not fit the schema"


class Unauthenticated(HomeportError):
    """Nobody is known to be calling."""

    code = "auth.required"
    title = "Sign in first"


class Forbidden(HomeportError):
    """The caller is known, the thing is visible, and the act is not allowed."""

    code = "auth.forbidden"
    title = "Not allowed"


class PaymentRequired(Forbidden):
    """A budget does not cover it."""

    code = "budget.exceeded"
    title = "Over the budget"


class NotFound(HomeportError):
    """The thing is absent, or not visible to the caller: the two are told alike."""

    code = "not-found"
    title = "Not found"


class Gone(NotFound):
    """The thing was here; the detail names its successor."""

    code = "gone"
    title = "No longer here"


class Conflict(HomeportError):
    """The present state does not allow it."""

    code = "conflict"
    title = "In conflict with the present state"


class PreconditionFailed(Conflict):
    """Somebody changed it first."""

    code = "precondition-failed"
    title = "It has changed since you read it"


class TooLarge(HomeportError):
    """More bytes than the limit."""

    code = "request.too-large"
    title = "Too large"


class UnsupportedMedia(HomeportError):
    """A type that is not taken."""

    code = "request.unsupported-media"
    title = "This type is not accepted"


class Locked(HomeportError):
    """Closed for a time that the error names."""

    code = "locked"
    title = "Locked for a while"


class RateLimited(HomeportError):
    """Too often."""

    code = "rate-limited"
    title = "Too many requests"


class Upstream(HomeportError):
    """Somebody we depend on answered wrongly."""

    code = "upstream.failed"
    title = "A service behind Homeport failed"


class Unavailable(HomeportError):
    """Not now; try again."""

    code = "unavailable"
    title = "Not available now"


class StorageFull(Unavailable):
    """No space is left to keep what was sent."""

    code = "storage.full"
    title = "No space left"


class TimedOut(HomeportError):
    """Somebody we depend on did not answer in time."""

    code = "upstream.timeout"
    title = "A service behind Homeport did not answer in time"
