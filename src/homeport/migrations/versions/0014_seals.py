"""Seals over the log, the leader lease of who makes them, and a log that only grows.

The triggers refuse what no code of ours does: to change or remove an event, or to change a payload.
A payload is deleted when it is erased.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_seals"
down_revision = "0013_pairings"
branch_labels = None
depends_on = None

GUARDED = (("events", "UPDATE"), ("events", "DELETE"), ("event_payloads", "UPDATE"))
KEPT = tuple((table, verb) for table in ("seals", "seal_heads") for verb in ("UPDATE", "DELETE"))


def upgrade() -> None:
    op.create_table(
        "leaders",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("holder", sa.String(80), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "seals",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("heads", sa.Integer(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "seal_heads",
        sa.Column("seal_id", sa.BigInteger(), nullable=False),
        sa.Column("stream", sa.String(80), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seal_id", "stream", name="pk_seal_heads"),
        sa.ForeignKeyConstraint(["seal_id"], ["seals.id"], name="fk_seal_heads_seal_id_seals"),
    )
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION homeport_log_only_grows() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the log only grows'; END $$"
        )
    for table, verb in (*GUARDED, *KEPT):
        name = f"{table}_no_{verb.lower()}"
        if dialect == "postgresql":
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {verb} ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION homeport_log_only_grows()"
            )
        else:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {verb} ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'the log only grows'); END"
            )


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    for table, verb in (*GUARDED, *KEPT):
        on = f" ON {table}" if dialect == "postgresql" else ""
        op.execute(f"DROP TRIGGER {table}_no_{verb.lower()}{on}")
    if dialect == "postgresql":
        op.execute("DROP FUNCTION homeport_log_only_grows()")
    for table in ("seal_heads", "seals", "leaders"):
        op.drop_table(table)
