"""Devices that ask to be let in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from homeport.kernel.db import JSONDocument, UTCDateTime

revision = "0013_pairings"
down_revision = "0012_members"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pairings",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("device_hash", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("user_code_mac", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("device_name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(64)),
        sa.Column("requested_scopes", JSONDocument),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("scopes", JSONDocument),
        sa.Column("proof_expires_at", UTCDateTime()),
        sa.Column("interval_s", sa.Integer(), nullable=False),
        sa.Column("next_poll_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
    )
    op.create_index("ix_pairings_user_id", "pairings", ["user_id"])
    op.create_index("ix_pairings_expires_at", "pairings", ["expires_at"])


def downgrade() -> None:
    op.drop_table("pairings")
