"""The statements of a node: claim, beat, look for stops, release. One text for both databases.

Statuses are literals, so that the partial indexes match. Due and dead runs are found by separate
CTEs: one OR would scan, and PostgreSQL refuses FOR UPDATE beside a UNION. A user's limit is counted
over what is at work and what this statement takes; two nodes that claim at the same moment may each
take a user's last place: a lock against that would let a node that stands still hold up all others.
"""

from __future__ import annotations

from sqlalchemy import TextClause, text

_NOW = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}
_LOCK = {"sqlite": "", "postgresql": "FOR UPDATE SKIP LOCKED"}
_CTE = {"sqlite": "", "postgresql": "MATERIALIZED"}
# Left to itself, SQLite takes the unique index and reads every run that the session ever had.
_UNFINISHED = {"sqlite": "INDEXED BY ix_runs_unfinished", "postgresql": ""}

_CLAIM = """
WITH due AS {cte} (
    SELECT r.id, r.user_id, r.wake_at FROM runs r
    WHERE r.status = 'queued' AND r.wake_at <= {now}
      AND NOT EXISTS (
          SELECT 1 FROM runs e {unfinished}
          WHERE e.session_id = r.session_id AND e.status <> 'finished' AND e.run_no < r.run_no)
      AND (SELECT count(*) FROM runs w
           WHERE w.user_id = r.user_id AND w.status IN ('running', 'waiting')) < :per_user
    ORDER BY r.wake_at, r.id LIMIT :limit {lock}
), placed AS (
    SELECT due.id,
        row_number() OVER (PARTITION BY due.user_id ORDER BY due.wake_at, due.id)
        + (SELECT count(*) FROM runs w
           WHERE w.user_id = due.user_id AND w.status IN ('running', 'waiting')) AS place
    FROM due
), dead AS {cte} (
    SELECT d.id FROM runs d
    WHERE d.status = 'running' AND d.lease_until < {now}
    ORDER BY d.lease_until LIMIT :limit {lock}
)
UPDATE runs SET status = 'running', epoch = epoch + 1, node = :node, lease_until = {now} + :ttl
WHERE id IN (SELECT id FROM placed WHERE place <= :per_user UNION ALL SELECT id FROM dead)
RETURNING id, session_id, user_id, run_no, epoch, stopping
"""

_BEAT = """
UPDATE runs SET lease_until = {now} + :ttl
WHERE id = :id AND epoch = :epoch AND status = 'running'
RETURNING id
"""

_HELD = """
SELECT id, epoch, stopping FROM runs WHERE status = 'running' AND node = :node
"""

_PENDING = """
SELECT EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND wake_at <= {now})
    OR EXISTS (SELECT 1 FROM runs WHERE status = 'running' AND lease_until < {now})
"""

_RELEASE = """
UPDATE runs SET lease_until = 0 WHERE status = 'running' AND node LIKE :others AND node <> :node
"""


class Statements:
    """The node's statements in one dialect."""

    def __init__(self, dialect: str) -> None:
        def ready(statement: str) -> TextClause:
            words = {"now": _NOW, "lock": _LOCK, "cte": _CTE, "unfinished": _UNFINISHED}
            return text(statement.format(**{name: by[dialect] for name, by in words.items()}))

        self.pending = ready(_PENDING)
        self.claim = ready(_CLAIM)
        self.beat = ready(_BEAT)
        self.held = ready(_HELD)
        self.release = ready(_RELEASE)
