"""Keys with which people sign requests, nonces, and what must be signed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from homeport.kernel.db import UTCDateTime

revision = "0016_signed_requests"
down_revision = "0015_passkeys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "request_keys",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("thumbprint", sa.String(43), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("last_used_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_request_keys"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_request_keys_user_id_users", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("user_id", "thumbprint", name="uq_request_keys_user_id_thumbprint"),
    )
    op.create_table(
        "signature_nonces",
        sa.Column("thumbprint", sa.String(43), nullable=False),
        sa.Column("nonce", sa.String(128), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("thumbprint", "nonce", name="pk_signature_nonces"),
    )
    op.create_index("ix_signature_nonces_expires_at", "signature_nonces", ["expires_at"])
    for table in ("devices", "api_keys"):
        op.add_column(
            table, sa.Column("signed_only", sa.Boolean(), nullable=False, server_default=sa.false())
        )


def downgrade() -> None:
    for table in ("devices", "api_keys"):
        op.drop_column(table, "signed_only")
    op.drop_table("signature_nonces")
    op.drop_table("request_keys")
