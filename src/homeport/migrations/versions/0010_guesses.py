"""Counts of wrong guesses at passwords and codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_guesses"
down_revision = "0009_stream_tickets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guesses",
        sa.Column("key", sa.String(80), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("window_ms", sa.BigInteger(), nullable=False),
        sa.Column("in_window", sa.Integer(), nullable=False),
        sa.Column("touched_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_guesses_touched_ms", "guesses", ["touched_ms"])


def downgrade() -> None:
    op.drop_table("guesses")
