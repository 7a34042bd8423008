"""The log's tables. Private to this room: nobody else reads or writes them."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from homeport.kernel.db import Model

# SQLite fills only INTEGER PRIMARY KEY by itself.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class StreamRow(Model):
    """One stream: its name and its head. Whoever appends holds this row first."""

    __tablename__ = "streams"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    head_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    head_hash: Mapped[bytes] = mapped_column(LargeBinary)


class EventRow(Model):
    """What stays of an event for ever. `position` is the global order, `seq` the stream's."""

    __tablename__ = "events"
    __table_args__ = (
        Index("uq_events_stream_id_seq", "stream_id", "seq", unique=True),
        Index(
            "ix_events_message_bounds",
            "stream_id",
            "seq",
            sqlite_where=text("bounds IS NOT NULL"),
            postgresql_where=text("bounds IS NOT NULL"),
        ),
        Index("ix_events_kind", "kind", "position"),
        Index("ix_events_actor", "actor", "position"),
        {"sqlite_autoincrement": True},
    )

    position: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    stream_id: Mapped[int] = mapped_column(ForeignKey("streams.id"))
    seq: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(60))
    version: Mapped[int] = mapped_column(Integer)
    at: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(80))
    bounds: Mapped[str | None] = mapped_column(String(6))
    payload_digest: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class PayloadRow(Model):
    """What can be erased: the only table from which an event's content is ever deleted."""

    __tablename__ = "event_payloads"

    stream_id: Mapped[int] = mapped_column(ForeignKey("streams.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class OpenMessageRow(Model):
    """The one message of a stream that is still being written, and the fence of who writes it."""

    __tablename__ = "open_messages"

    stream_id: Mapped[int] = mapped_column(ForeignKey("streams.id"), primary_key=True)
    message_id: Mapped[str] = mapped_column(String(36))
    started_seq: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(BigInteger)


class SegmentRow(Model):
    """A slice of an open message, as one flush committed it. Goes when the message closes.

    `body` is a JSON array: `[block, type, id, name]` begins a block, `[block, offset, text]` adds.
    """

    __tablename__ = "message_segments"

    stream_id: Mapped[int] = mapped_column(ForeignKey("streams.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class SealRow(Model):
    """A signed root over the heads in `seal_heads`; see `seal.Seal` for the columns."""

    __tablename__ = "seals"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    heads: Mapped[int] = mapped_column(Integer)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    previous: Mapped[bytes] = mapped_column(LargeBinary)
    key: Mapped[bytes] = mapped_column(LargeBinary)
    signature: Mapped[bytes] = mapped_column(LargeBinary)


class SealedHeadRow(Model):
    """How a stream ended when it was sealed."""

    __tablename__ = "seal_heads"

    seal_id: Mapped[int] = mapped_column(ForeignKey("seals.id"), primary_key=True)
    stream: Mapped[str] = mapped_column(String(80), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
