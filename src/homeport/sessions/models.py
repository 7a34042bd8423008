"""Rows of sessions and their indexes. The text stands in the log; these rows find and count it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Float, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from homeport.kernel.db import JSONDocument, Model, UTCDateTime


class SessionRow(Model):
    """A conversation.

    Attributes:
        state: `open`, `archived`, `deleted`.
        begins_after: The agent's memory begins behind this `seq` (0, or where it was cleared).
        ordinal: Messages so far (since a clear); `user_ordinal`, `assistant_ordinal` per role.
    """

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_user_id_id", "user_id", "id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(36))
    project_id: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(255))
    model: Mapped[str] = mapped_column(String(120))
    system_prompt: Mapped[str | None] = mapped_column(Text)
    permission_mode: Mapped[str] = mapped_column(String(20))
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", JSONDocument)
    state: Mapped[str] = mapped_column(String(10), default="open")
    begins_after: Mapped[int] = mapped_column(BigInteger, default=0)
    ordinal: Mapped[int] = mapped_column(Integer, default=0)
    user_ordinal: Mapped[int] = mapped_column(Integer, default=0)
    assistant_ordinal: Mapped[int] = mapped_column(Integer, default=0)
    input_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    output_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cache_read_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cache_write_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cost_usd: Mapped[float] = mapped_column(Float, default=0.0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class MessageRow(Model):
    """Where a message is: `seq` is the event that carries its blocks (0 while it is open).

    Attributes:
        ordinal: Order in the session, from 0, restarted by a clear: the legacy `offset` is a key.
        role_ordinal: The same within its role.
        status: `open`, `completed`, `interrupted`, `erased`.
    """

    __tablename__ = "messages"
    __table_args__ = (
        Index("uq_messages_session_id_ordinal", "session_id", "ordinal", unique=True),
        Index(
            "uq_messages_session_id_role_role_ordinal",
            "session_id",
            "role",
            "role_ordinal",
            unique=True,
        ),
        Index(
            "uq_messages_session_id_client_message_id",
            "session_id",
            "client_message_id",
            unique=True,
            sqlite_where=text("client_message_id IS NOT NULL"),
            postgresql_where=text("client_message_id IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(36))
    run_id: Mapped[str] = mapped_column(String(36))
    role: Mapped[str] = mapped_column(String(10))
    ordinal: Mapped[int] = mapped_column(Integer)
    role_ordinal: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(12))
    seq: Mapped[int] = mapped_column(BigInteger, default=0)
    client_message_id: Mapped[str | None] = mapped_column(String(128))
    client_digest: Mapped[str | None] = mapped_column(String(64))
    tokens: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ToolCallRow(Model):
    """One use of a tool, for the history; input and result stand in the log at the two `seq`s."""

    __tablename__ = "tool_calls"
    __table_args__ = (
        Index("ix_tool_calls_session_id_id", "session_id", "id"),
        Index("uq_tool_calls_run_id_call_id", "run_id", "call_id", unique=True),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(36))
    run_id: Mapped[str | None] = mapped_column(String(36))
    call_id: Mapped[str] = mapped_column(String(128))
    tool: Mapped[str] = mapped_column(String(120))
    tool_type: Mapped[str] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(12))
    is_error: Mapped[bool] = mapped_column(Boolean, default=False)
    started_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    finished_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    duration_ms: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ApprovalRow(Model):
    """A question to people. Its content is the event at `requested_seq`."""

    __tablename__ = "approvals"
    __table_args__ = (
        Index("ix_approvals_user_id_id", "user_id", "id"),
        Index("ix_approvals_run_id", "run_id"),
        Index(
            "ix_approvals_open",
            "expires_at",
            sqlite_where=text("status = 'requested'"),
            postgresql_where=text("status = 'requested'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(36))
    project_id: Mapped[str] = mapped_column(String(36))
    user_id: Mapped[str] = mapped_column(String(36))
    run_id: Mapped[str] = mapped_column(String(36))
    call_id: Mapped[str] = mapped_column(String(128))
    tool: Mapped[str] = mapped_column(String(120))
    digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(10), default="requested")
    scope: Mapped[str | None] = mapped_column(String(6))
    note: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[str | None] = mapped_column(String(36))
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    requested_seq: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
