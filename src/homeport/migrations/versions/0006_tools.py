"""Tool calls and approvals."""

from __future__ import annotations

revision = "0006_tools"
down_revision = "0005_dispatch"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
