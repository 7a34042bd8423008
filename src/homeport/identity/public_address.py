"""Where people reach this server, as the operator says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """The address without a slash at its end; None: whatever the request was sent to."""

    url: str | None
