"""What can go wrong on the way out.

OutboundError
├── OutboundBlocked    the guard says no; nothing was sent
├── OutboundFailed     the other side could not be reached, or broke off
├── OutboundTimedOut   the other side was silent for too long
└── OutboundTooLarge   the other side sent more than the caller takes
"""

from __future__ import annotations

from homeport.kernel.errors import Forbidden, HomeportError, TimedOut, Upstream


class OutboundError(HomeportError):
    """A request to the outside did not succeed."""

    code = "outbound.error"
    title = "The request to the outside failed"


class OutboundBlocked(Forbidden, OutboundError):
    """The guard refuses the address; no connection was made."""

    code = "outbound.blocked"
    title = "Homeport does not call this address"


class OutboundFailed(Upstream, OutboundError):
    """The other side could not be reached, or broke off."""

    code = "outbound.failed"
    title = "The other side could not be reached"


class OutboundTimedOut(TimedOut, OutboundError):
    """The other side was silent for too long."""

    code = "outbound.timeout"
    title = "The other side did not answer in time"


class OutboundTooLarge(Upstream, OutboundError):
    """The other side sent more than the caller takes."""

    code = "outbound.too-large"
    title = "The answer of the other side is too large"
