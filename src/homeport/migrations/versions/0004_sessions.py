"""Sessions and their messages."""

from __future__ import annotations

revision = "0004_sessions"
down_revision = "0003_projects"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
