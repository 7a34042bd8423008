"""The one place that reads a clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """`moment` as RFC 3339 in UTC with `Z` and milliseconds: `2026-11-23T04:05:06.789Z`.

    Raises:
        ValueError: `moment` is naive.
    """
    if moment.tzinfo is None:
        message = "a naive datetime has no place in time"
        raise ValueError(message)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def monotonic() -> float:
    """Seconds on a clock that never goes back and stands still while the machine sleeps."""
    return time.monotonic()


def boot_seconds() -> float:
    """Seconds on a clock that never goes back and counts the machine's sleep, where there is one.

    A lease must be judged by this one: after a sleep `monotonic` would still call it fresh.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def from_milliseconds(milliseconds: int) -> datetime:
    """The moment that many milliseconds after 1970, UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
