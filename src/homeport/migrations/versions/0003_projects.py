"""Projects and their members."""

from __future__ import annotations

revision = "0003_projects"
down_revision = "0002_identity"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
