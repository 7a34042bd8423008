"""Projects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from homeport.kernel.db import JSONDocument, UTCDateTime

revision = "0003_projects"
down_revision = "0002_identity"
branch_labels = None
depends_on = None

LIVE_PERSONAL = sa.text("is_personal AND deleted_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("is_personal", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("metadata", JSONDocument, nullable=False),
        sa.Column("settings", JSONDocument, nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_projects_user_id_users", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_projects_user_id", "projects", ["user_id", "id"])
    op.create_index(
        "uq_projects_personal",
        "projects",
        ["user_id"],
        unique=True,
        sqlite_where=LIVE_PERSONAL,
        postgresql_where=LIVE_PERSONAL,
    )


def downgrade() -> None:
    op.drop_table("projects")
