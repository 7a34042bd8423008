"""The table of pairings. Codes stand here as digests."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from homeport.kernel.db import JSONDocument, Model, UTCDateTime


class Pairing(Model):
    """A device that asks to be let in; the row goes when it is let in or its time is over.

    `user_code_mac` is keyed: eight letters could be found from a plain hash. `user_id` and `scopes`
    are those of whoever approved. No poll is answered before `next_poll_at`.
    """

    __tablename__ = "pairings"
    __table_args__ = (
        Index("ix_pairings_user_id", "user_id"),
        Index("ix_pairings_network", "network"),
        Index("ix_pairings_expires_at", "expires_at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    device_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_code_mac: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    status: Mapped[str] = mapped_column(String(8))
    device_name: Mapped[str] = mapped_column(String(200))
    address: Mapped[str | None] = mapped_column(String(64))
    network: Mapped[str | None] = mapped_column(String(64))
    requested_scopes: Mapped[list[str] | None] = mapped_column(JSONDocument)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    scopes: Mapped[list[str] | None] = mapped_column(JSONDocument)
    interval_s: Mapped[int] = mapped_column(Integer)
    next_poll_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
