"""Tables that belong to no domain."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from homeport.kernel.db.base import Model, UTCDateTime


class IdempotencyKeyRow(Model):
    """What a client's `Idempotency-Key` has made.

    Attributes:
        digest: Of the request that came with the key, so that another one is told from it.
        thing_id: What the request made; the answer is rendered from it again.
    """

    __tablename__ = "idempotency_keys"

    user_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    thing_id: Mapped[str] = mapped_column(String(36))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class LeaderRow(Model):
    """Who does a chore that one node does for all.

    Attributes:
        until_ms: End of the lease; milliseconds of the database's clock.
    """

    __tablename__ = "leaders"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    holder: Mapped[str] = mapped_column(String(80))
    until_ms: Mapped[int] = mapped_column(BigInteger)
