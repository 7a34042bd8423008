"""How long a long run is: `FAULT_ROUNDS=50 make faults` for less than the full measure."""

from __future__ import annotations

import os

FULL = 200


def rounds(share: float = 1.0) -> int:
    """Rounds of a long test; `share` is its part of the full measure."""
    asked = int(os.environ.get("FAULT_ROUNDS", FULL))  # noqa: TID251
    return max(1, round(asked * share))
