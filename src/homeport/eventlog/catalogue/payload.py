"""Facts of what the log keeps no more."""

from __future__ import annotations

from typing import ClassVar, Literal

from homeport.eventlog.catalogue.base import Event

ErasureReason = Literal["session-deleted", "session-cleared", "account-deleted", "requested"]


class PayloadErased(Event):
    """What events of this stream said is gone: all of them, or those of `kinds`, in the range.

    Their headers stay, and the hash chain with them. A reader that keeps what it was told forgets
    those events; one that passes them is told `erased: true` in the place of their members.
    """

    kind: ClassVar[str] = "payload.erased"
    first_seq: int
    last_seq: int
    count: int
    kinds: list[str] | None = None
    reason: ErasureReason
