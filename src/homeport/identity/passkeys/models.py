"""Tables of passkeys and of the challenges that they answer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from homeport.kernel.db import Model, UTCDateTime


class Passkey(Model):
    """A credential of one account; `sign_count` is what its authenticator last said (or zero)."""

    __tablename__ = "passkeys"
    __table_args__ = (Index("ix_passkeys_user_id", "user_id", "id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class PasskeyChallenge(Model):
    """What an authenticator has to sign, once; the row goes when it is answered.

    `purpose` is `register` or `login`; `user_id` is who registers, None for a login;
    `network` is where the login began, None for a registration.
    """

    __tablename__ = "passkey_challenges"
    __table_args__ = (
        Index("ix_passkey_challenges_user_id", "user_id"),
        Index("ix_passkey_challenges_network", "network"),
        Index("ix_passkey_challenges_expires_at", "expires_at"),
    )

    challenge_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    purpose: Mapped[str] = mapped_column(String(8))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    network: Mapped[str | None] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
