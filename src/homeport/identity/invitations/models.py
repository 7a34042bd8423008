"""The table of invitations. A code stands here as its digest."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from homeport.kernel.db import Model, UTCDateTime


class Invitation(Model):
    """One account that somebody may make for themselves.

    `user_id` is who invited, None the operator; `email` the only address that it is for, None any.
    It is over when `used_at` or `revoked_at` is set, which happens once, and then names nobody.
    """

    __tablename__ = "invitations"
    __table_args__ = (
        Index("ix_invitations_user_id", "user_id"),
        Index("ix_invitations_expires_at", "expires_at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    role: Mapped[str] = mapped_column(String(32))
    email: Mapped[str | None] = mapped_column(String(254))
    note: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
