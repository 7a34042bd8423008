"""Tickets that open one stream, once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from homeport.kernel.db import UTCDateTime

revision = "0009_stream_tickets"
down_revision = "0008_run_places"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stream_tickets",
        sa.Column("token_hash", sa.LargeBinary(), primary_key=True),
        sa.Column(
            "user_id",
            sa.String(36),
            sa.ForeignKey("users.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("device_id", sa.String(36)),
        sa.Column("api_key_id", sa.String(36)),
        sa.Column("session_id", sa.String(36)),
        sa.Column("origin", sa.String(255)),
        sa.Column("proof_expires_at", UTCDateTime()),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
    )
    op.create_index("ix_stream_tickets_user_id", "stream_tickets", ["user_id"])
    op.create_index("ix_stream_tickets_expires_at", "stream_tickets", ["expires_at"])


def downgrade() -> None:
    op.drop_table("stream_tickets")
