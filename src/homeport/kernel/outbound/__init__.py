"""The one way out: an HTTP client that refuses to be turned against the network it stands in."""

from __future__ import annotations

from homeport.kernel.outbound.addresses import is_public
from homeport.kernel.outbound.allow import AllowList, entry_for
from homeport.kernel.outbound.answer import Answer, Fetched
from homeport.kernel.outbound.client import Outbound
from homeport.kernel.outbound.errors import (
    OutboundBlocked,
    OutboundError,
    OutboundFailed,
    OutboundTimedOut,
    OutboundTooLarge,
)

__all__ = [
    "AllowList",
    "Answer",
    "Fetched",
    "Outbound",
    "OutboundBlocked",
    "OutboundError",
    "OutboundFailed",
    "OutboundTimedOut",
    "OutboundTooLarge",
    "entry_for",
    "is_public",
]
