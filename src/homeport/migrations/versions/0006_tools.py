"""Approvals of tool calls that outlive one call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from homeport.kernel.db import UTCDateTime

revision = "0006_tools"
down_revision = "0005_dispatch"
branch_labels = None
depends_on = None


def _unique(name: str, columns: list[str], where: str) -> None:
    op.create_index(
        name,
        "tool_grants",
        columns,
        unique=True,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


def upgrade() -> None:
    op.create_table(
        "tool_grants",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("project_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("run_id", sa.String(36), nullable=True),
        sa.Column("tool", sa.String(120), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
    )
    run = ["project_id", "user_id", "run_id", "digest"]
    _unique("uq_tool_grants_run", run, "run_id IS NOT NULL")
    _unique("uq_tool_grants_always", ["project_id", "user_id", "digest"], "run_id IS NULL")
    op.create_index("ix_tool_grants_run_id", "tool_grants", ["run_id"])


def downgrade() -> None:
    op.drop_table("tool_grants")
