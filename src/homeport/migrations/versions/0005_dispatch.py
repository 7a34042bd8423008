"""Runs and their leases."""

from __future__ import annotations

revision = "0005_dispatch"
down_revision = "0004_sessions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
