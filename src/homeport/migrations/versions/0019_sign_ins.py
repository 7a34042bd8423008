"""When somebody signed in on a device: not where another device has let it in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from homeport.kernel.db import UTCDateTime

revision = "0019_sign_ins"
down_revision = "0018_waiting_networks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("signed_in_at", UTCDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("devices", "signed_in_at")
