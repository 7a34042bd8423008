"""The log: streams, events, payloads, and the messages that are still being written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001_eventlog"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "streams",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("head_seq", sa.BigInteger(), nullable=False),
        sa.Column("head_hash", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("name", name="uq_streams_name"),
    )
    op.create_table(
        "events",
        sa.Column("position", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("stream_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("bounds", sa.String(6), nullable=True),
        sa.Column("payload_digest", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"], name="fk_events_stream_id_streams"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_events_stream_id_seq", "events", ["stream_id", "seq"], unique=True)
    op.create_index(
        "ix_events_message_bounds",
        "events",
        ["stream_id", "seq"],
        sqlite_where=sa.text("bounds IS NOT NULL"),
        postgresql_where=sa.text("bounds IS NOT NULL"),
    )
    op.create_table(
        "event_payloads",
        sa.Column("stream_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "seq", name="pk_event_payloads"),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.id"], name="fk_event_payloads_stream_id_streams"
        ),
    )
    op.create_table(
        "open_messages",
        sa.Column("stream_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("message_id", sa.String(36), nullable=False),
        sa.Column("started_seq", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.id"], name="fk_open_messages_stream_id_streams"
        ),
    )
    op.create_table(
        "message_segments",
        sa.Column("stream_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "ordinal", name="pk_message_segments"),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.id"], name="fk_message_segments_stream_id_streams"
        ),
    )


def downgrade() -> None:
    op.drop_table("message_segments")
    op.drop_table("open_messages")
    op.drop_table("event_payloads")
    op.drop_table("events")
    op.drop_table("streams")
