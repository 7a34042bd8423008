"""Indexes for whoever asks the trail for a kind of event, or for what somebody did."""

from __future__ import annotations

from alembic import op

revision = "0017_trail_indexes"
down_revision = "0016_signed_requests"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_events_kind", "events", ["kind", "position"])
    op.create_index("ix_events_actor", "events", ["actor", "position"])


def downgrade() -> None:
    op.drop_index("ix_events_actor", "events")
    op.drop_index("ix_events_kind", "events")
