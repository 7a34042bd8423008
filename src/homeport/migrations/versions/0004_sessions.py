"""Sessions, their messages, tool calls and approvals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from homeport.kernel.db import JSONDocument, UTCDateTime

revision = "0004_sessions"
down_revision = "0003_projects"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("model", sa.String(120), nullable=False),
        sa.Column("system_prompt", sa.Text(), nullable=True),
        sa.Column("permission_mode", sa.String(20), nullable=False),
        sa.Column("metadata", JSONDocument, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("begins_after", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("user_ordinal", sa.Integer(), nullable=False),
        sa.Column("assistant_ordinal", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
    )
    op.create_index(
        "ix_sessions_user_id_id",
        "sessions",
        ["user_id", "id"],
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("role_ordinal", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("client_message_id", sa.String(128), nullable=True),
        sa.Column("client_digest", sa.String(64), nullable=True),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
    )
    op.create_index(
        "uq_messages_session_id_client_message_id",
        "messages",
        ["session_id", "client_message_id"],
        unique=True,
        sqlite_where=sa.text("client_message_id IS NOT NULL"),
        postgresql_where=sa.text("client_message_id IS NOT NULL"),
    )
    op.create_index(
        "uq_messages_session_id_ordinal",
        "messages",
        ["session_id", "ordinal"],
        unique=True,
    )
    op.create_index(
        "uq_messages_session_id_role_role_ordinal",
        "messages",
        ["session_id", "role", "role_ordinal"],
        unique=True,
    )
    op.create_table(
        "tool_calls",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("run_id", sa.String(36), nullable=True),
        sa.Column("call_id", sa.String(128), nullable=False),
        sa.Column("tool", sa.String(120), nullable=False),
        sa.Column("tool_type", sa.String(10), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("is_error", sa.Boolean(), nullable=False),
        sa.Column("started_seq", sa.BigInteger(), nullable=False),
        sa.Column("finished_seq", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("completed_at", UTCDateTime(), nullable=True),
    )
    op.create_index(
        "ix_tool_calls_session_id_id",
        "tool_calls",
        ["session_id", "id"],
    )
    op.create_index(
        "uq_tool_calls_run_id_call_id",
        "tool_calls",
        ["run_id", "call_id"],
        unique=True,
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("call_id", sa.String(128), nullable=False),
        sa.Column("tool", sa.String(120), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("scope", sa.String(6), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.String(36), nullable=True),
        sa.Column("decided_at", UTCDateTime(), nullable=True),
        sa.Column("requested_seq", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
    )
    op.create_index(
        "ix_approvals_open",
        "approvals",
        ["expires_at"],
        sqlite_where=sa.text("status = 'requested'"),
        postgresql_where=sa.text("status = 'requested'"),
    )
    op.create_index(
        "ix_approvals_run_id",
        "approvals",
        ["run_id"],
    )
    op.create_index(
        "ix_approvals_user_id_id",
        "approvals",
        ["user_id", "id"],
    )


def downgrade() -> None:
    for table in ("approvals", "tool_calls", "messages", "sessions"):
        op.drop_table(table)
