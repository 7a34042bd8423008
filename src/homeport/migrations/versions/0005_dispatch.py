"""Runs: the queue and the leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from homeport.kernel.db import UTCDateTime

revision = "0005_dispatch"
down_revision = "0004_sessions"
branch_labels = None
depends_on = None


def _partial(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(
        name,
        "runs",
        columns,
        unique=unique,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("run_no", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.String(80), nullable=True),
        sa.Column("wake_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("stopping", sa.Boolean(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
    )
    at_work = "status IN ('running', 'waiting')"
    _partial("uq_runs_at_work", ["session_id"], at_work, unique=True)
    _partial("ix_runs_due", ["wake_at", "id"], "status = 'queued'")
    _partial("ix_runs_unfinished", ["session_id", "run_no"], "status <> 'finished'")
    _partial("ix_runs_leased", ["lease_until"], "status = 'running'")
    _partial("ix_runs_users_at_work", ["user_id"], at_work)
    op.create_index("uq_runs_session_id_run_no", "runs", ["session_id", "run_no"], unique=True)


def downgrade() -> None:
    op.drop_table("runs")
