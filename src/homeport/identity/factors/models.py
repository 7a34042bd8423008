"""Tables of second factors. A seed stands here sealed, a code or token as a hash."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from homeport.kernel.db import JSONDocument, Model, UTCDateTime


class TotpFactor(Model):
    """An authenticator app; it counts once `confirmed_at` is set.

    `last_step` is the last time step that was accepted (RFC 6238 section 5.2): no code of it, or of
    one before it, is taken again.
    """

    __tablename__ = "totp_factors"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    seed_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    last_step: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class RecoveryCode(Model):
    """A code that stands in for a lost factor; spent when `used_at` is set, which happens once."""

    __tablename__ = "recovery_codes"
    __table_args__ = (Index("ix_recovery_codes_user_id", "user_id"),)

    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class PendingSignIn(Model):
    """A sign-in whose password was right and whose second factor is awaited.

    The row goes when the sign-in is completed, or whatever it rests on has changed.
    """

    __tablename__ = "pending_sign_ins"
    __table_args__ = (
        Index("ix_pending_sign_ins_user_id", "user_id"),
        Index("ix_pending_sign_ins_expires_at", "expires_at"),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    scopes: Mapped[list[str] | None] = mapped_column(JSONDocument)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
