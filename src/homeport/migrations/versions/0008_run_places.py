"""Runs: where each begins and ends in its session's stream, and an outcome of more letters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_run_places"
down_revision = "0007_idempotency"
branch_labels = None
depends_on = None

_PAYLOAD_RUN = {
    "sqlite": "json_extract(CAST(p.payload AS TEXT), '$.run_id')",
    "postgresql": "convert_from(p.payload, 'UTF8')::json ->> 'run_id'",
}
# The events of a kind are read once, not once per run.
_FILL = """
UPDATE runs SET {column} = place.seq
FROM (
    SELECT {run_id} AS run_id, e.seq AS seq
    FROM events e JOIN event_payloads p ON p.stream_id = e.stream_id AND p.seq = e.seq
    WHERE e.kind = '{kind}'
) AS place
WHERE runs.id = place.run_id
"""


def upgrade() -> None:
    with op.batch_alter_table("runs") as runs:
        for name in ("queued_seq", "finished_seq"):
            runs.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
        runs.alter_column("outcome", existing_type=sa.String(12), type_=sa.String(20))
    with op.batch_alter_table("runs") as runs:
        for name in ("queued_seq", "finished_seq"):
            runs.alter_column(name, existing_type=sa.BigInteger(), server_default=None)
    run_id = _PAYLOAD_RUN[op.get_bind().dialect.name]
    for column, kind in (("queued_seq", "run.queued"), ("finished_seq", "run.finished")):
        op.execute(_FILL.format(column=column, kind=kind, run_id=run_id))


def downgrade() -> None:
    op.execute("UPDATE runs SET outcome = 'stopped' WHERE outcome = 'budget_exceeded'")
    with op.batch_alter_table("runs") as runs:
        runs.alter_column("outcome", existing_type=sa.String(20), type_=sa.String(12))
        runs.drop_column("finished_seq")
        runs.drop_column("queued_seq")
