"""One digest over many leaves, in the form of RFC 9162, section 2.1.1.

Leaves and nodes are hashed under different first bytes, so that none passes for the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_LEAF, _NODE = b"\x00", b"\x01"


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over `leaves` in their order, 32 bytes; of none it is the hash of nothing."""
    if not leaves:
        return hashlib.sha256().digest()
    level = [hashlib.sha256(_LEAF + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        # Pairs from the left, an odd one goes up as it is: the same tree as splitting at the
        # largest power of two.
        above = [
            hashlib.sha256(_NODE + level[at] + level[at + 1]).digest()
            for at in range(0, len(level) - 1, 2)
        ]
        level = above + level[len(above) * 2 :]
    return level[0]
