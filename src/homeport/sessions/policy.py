"""What the operator decides about sessions; wiring makes the one instance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """The operator's word on sessions.

    Attributes:
        idle_after: How long after the end of its last run a session still counts as active.
    """

    idle_after: timedelta
