"""The statements of a node: claim, beat, look for stops, release. One text for both databases.

Statuses are literals, so that the partial indexes match. Due and dead runs are found by separate
CTEs: one OR would scan, and PostgreSQL refuses FOR UPDATE beside a UNION.

A user's limit is counted over what is at work and what the claim takes. SQLite has one writer; on
PostgreSQL two nodes that claim at once would each count without the other. So a node first takes
the advisory locks of the users whose runs are due, and passes over those whose lock another node
holds: nobody waits. The claim is a statement of its own behind that, because it must see what the
lock's last holder has committed.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Row, TextClause, text

from homeport.kernel.db import WriteSession

_NOW = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}
_LOCK = {"sqlite": "", "postgresql": "FOR UPDATE SKIP LOCKED"}
_CTE = {"sqlite": "", "postgresql": "MATERIALIZED"}
# Left to itself, SQLite takes the unique index and reads every run that the session ever had.
_UNFINISHED = {"sqlite": "INDEXED BY ix_runs_unfinished", "postgresql": ""}
_LOCKED = {"sqlite": "", "postgresql": "AND r.user_id = ANY(CAST(:users AS varchar[]))"}
PLACES_LOCK = 0x706C6163
"""Beside a user's hash, the key of the lock under which that user's places are counted."""

_DUE = """
    SELECT r.id, r.user_id, r.wake_at FROM runs r
    WHERE r.status = 'queued' AND r.wake_at <= {now}
      AND NOT EXISTS (
          SELECT 1 FROM runs e {unfinished}
          WHERE e.session_id = r.session_id AND e.status <> 'finished' AND e.run_no < r.run_no)
      AND (SELECT count(*) FROM runs w
           WHERE w.user_id = r.user_id AND w.status IN ('running', 'waiting')) < :per_user
"""

_LOCK_USERS = """
WITH due AS {cte} ({due} ORDER BY r.wake_at, r.id LIMIT :limit),
users AS {cte} (SELECT DISTINCT user_id FROM due)
SELECT user_id FROM users WHERE pg_try_advisory_xact_lock(:key, hashtext(user_id))
"""

_CLAIM = """
WITH due AS {cte} ({due} {locked} ORDER BY r.wake_at, r.id LIMIT :limit {lock}
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
    """The node's statements in one dialect.

    Attributes:
        lock_users: Takes the users whose runs this node may claim; None where there is one writer.
    """

    def __init__(self, dialect: str) -> None:
        by_word = {"now": _NOW, "lock": _LOCK, "cte": _CTE, "unfinished": _UNFINISHED}
        words = {word: by[dialect] for word, by in (by_word | {"locked": _LOCKED}).items()}
        words["due"] = _DUE.format(**words)

        def ready(statement: str) -> TextClause:
            return text(statement.format(**words))

        self.lock_users = ready(_LOCK_USERS) if dialect == "postgresql" else None
        self.pending = ready(_PENDING)
        self.claim = ready(_CLAIM)
        self.beat = ready(_BEAT)
        self.held = ready(_HELD)
        self.release = ready(_RELEASE)

    async def claimed(
        self, session: WriteSession, *, node: str, ttl_ms: int, per_user: int, limit: int
    ) -> Sequence[Row[tuple[str, str, str, int, int, bool]]]:
        """Claims what is due or dead: id, session_id, user_id, run_no, epoch, stopping of each.

        Args:
            session: A write unit of its own; it holds the users' locks to its commit.
            node: Who claims.
            ttl_ms: How long the leases are good for.
            per_user: Runs of one user that may be at work at once.
            limit: Of those that are due, and of those that are dead.
        """
        values: dict[str, object] = {"per_user": per_user, "limit": limit}
        if self.lock_users is not None:
            key = {"key": PLACES_LOCK}
            values["users"] = list(await session.scalars(self.lock_users, values | key))
        values |= {"node": node, "ttl": ttl_ms}
        return (await session.execute(self.claim, values)).all()
