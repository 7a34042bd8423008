"""Second factors: authenticator apps, recovery codes, sign-ins that wait for one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from homeport.kernel.db import JSONDocument, UTCDateTime

revision = "0011_second_factors"
down_revision = "0010_guesses"
branch_labels = None
depends_on = None


def _owner(*, unique: bool = False) -> sa.Column[str]:
    return sa.Column(
        "user_id",
        sa.String(36),
        sa.ForeignKey("users.id", ondelete="CASCADE"),
        nullable=False,
        unique=unique,
    )


def upgrade() -> None:
    op.add_column("devices", sa.Column("verified_at", UTCDateTime()))
    op.create_table(
        "totp_factors",
        sa.Column("id", sa.String(36), primary_key=True),
        _owner(unique=True),
        sa.Column("seed_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("confirmed_at", UTCDateTime()),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("code_hash", sa.LargeBinary(), primary_key=True),
        _owner(),
        sa.Column("used_at", UTCDateTime()),
    )
    op.create_index("ix_recovery_codes_user_id", "recovery_codes", ["user_id"])
    op.create_table(
        "pending_sign_ins",
        sa.Column("token_hash", sa.LargeBinary(), primary_key=True),
        _owner(),
        sa.Column("scopes", JSONDocument),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
    )
    op.create_index("ix_pending_sign_ins_user_id", "pending_sign_ins", ["user_id"])
    op.create_index("ix_pending_sign_ins_expires_at", "pending_sign_ins", ["expires_at"])


def downgrade() -> None:
    op.drop_table("pending_sign_ins")
    op.drop_table("recovery_codes")
    op.drop_table("totp_factors")
    op.drop_column("devices", "verified_at")
