"""Tables of signed requests: public keys of people, and the nonces that were seen lately."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from homeport.kernel.db import Model, UTCDateTime


class RequestKey(Model):
    """An Ed25519 public key with which somebody signs requests.

    `thumbprint` is that of the key as a JWK (RFC 7638), and the `keyid` of its signatures.
    """

    __tablename__ = "request_keys"
    __table_args__ = (
        UniqueConstraint("user_id", "thumbprint", name="uq_request_keys_user_id_thumbprint"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    thumbprint: Mapped[str] = mapped_column(String(43))
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class SignatureNonce(Model):
    """A nonce that a key has used; it outlives the key, so that nothing can be replayed."""

    __tablename__ = "signature_nonces"
    __table_args__ = (Index("ix_signature_nonces_expires_at", "expires_at"),)

    thumbprint: Mapped[str] = mapped_column(String(43), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(128), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
