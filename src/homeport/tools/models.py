"""Approvals that outlive one call."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from homeport.kernel.db import Model, UTCDateTime


class ToolGrantRow(Model):
    """What a person has approved beyond one call.

    Attributes:
        user_id: Whose grant it is: it counts for runs of this person only.
        run_id: The run it ends with; None: for always, in this project.
        digest: The call (`approval.digest`), or all calls of a tool (`grants.whole_tool`).
    """

    __tablename__ = "tool_grants"
    __table_args__ = (
        Index(
            "uq_tool_grants_run",
            "project_id",
            "user_id",
            "run_id",
            "digest",
            unique=True,
            sqlite_where=text("run_id IS NOT NULL"),
            postgresql_where=text("run_id IS NOT NULL"),
        ),
        Index(
            "uq_tool_grants_always",
            "project_id",
            "user_id",
            "digest",
            unique=True,
            sqlite_where=text("run_id IS NULL"),
            postgresql_where=text("run_id IS NULL"),
        ),
        Index("ix_tool_grants_run_id", "run_id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    project_id: Mapped[str] = mapped_column(String(36))
    user_id: Mapped[str] = mapped_column(String(36))
    run_id: Mapped[str | None] = mapped_column(String(36))
    tool: Mapped[str] = mapped_column(String(120))
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
