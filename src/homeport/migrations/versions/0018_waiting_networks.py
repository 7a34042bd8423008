"""The network that waiting devices and challenges came from; no device is let in by a key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from homeport.kernel.db import UTCDateTime

revision = "0018_waiting_networks"
down_revision = "0017_trail_indexes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("pairings", "passkey_challenges"):
        op.add_column(table, sa.Column("network", sa.String(64)))
        op.create_index(f"ix_{table}_network", table, ["network"])
    op.execute("DELETE FROM pairings WHERE status = 'approved'")  # a key may have let them in
    op.drop_column("pairings", "proof_expires_at")


def downgrade() -> None:
    op.add_column("pairings", sa.Column("proof_expires_at", UTCDateTime()))
    for table in ("pairings", "passkey_challenges"):
        op.drop_index(f"ix_{table}_network", table)
        op.drop_column(table, "network")
