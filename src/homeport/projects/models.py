"""The table of projects."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from homeport.kernel.db import JSONDocument, Model, UTCDateTime

LIVE_PERSONAL = text("is_personal AND deleted_at IS NULL")


class Project(Model):
    """A workspace with a name and an owner.

    `path` is absolute, every link resolved. A deleted project keeps its row, for the log's sake.
    """

    __tablename__ = "projects"
    __table_args__ = (
        Index("ix_projects_user_id", "user_id", "id"),
        Index(
            "uq_projects_personal",
            "user_id",
            unique=True,
            sqlite_where=LIVE_PERSONAL,
            postgresql_where=LIVE_PERSONAL,
        ),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    is_personal: Mapped[bool] = mapped_column(Boolean)
    is_active: Mapped[bool] = mapped_column(Boolean)
    labels: Mapped[dict[str, Any]] = mapped_column("metadata", JSONDocument)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONDocument)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ProjectMember(Model):
    """Somebody to whom a project is open, beside the one who made it."""

    __tablename__ = "project_members"
    __table_args__ = (Index("ix_project_members_user_id", "user_id", "project_id"),)

    project_id: Mapped[str] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
