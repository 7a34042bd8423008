"""What identity keeps sealed."""

from __future__ import annotations

from typing import Final

from homeport.identity.factors.models import TotpFactor
from homeport.identity.models import SigningKey
from homeport.kernel.db import SealedColumn, table_of

PRIVATE_KEYS: Final = SealedColumn(table_of(SigningKey), "private_sealed", purpose="signing-keys")

TOTP_SEEDS: Final = SealedColumn(
    table_of(TotpFactor),
    "seed_sealed",
    purpose="totp-seeds",
    identified_by=("user_id", "id"),
)

SEALED: Final[tuple[SealedColumn, ...]] = (PRIVATE_KEYS, TOTP_SEEDS)
"""Every sealed column of this room: what is missing here is lost when the secret is replaced."""
