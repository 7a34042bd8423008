"""The run's row: what is queued, who holds it, until when. What a run did stands in the log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from homeport.kernel.db import Model, UTCDateTime


class RunRow(Model):
    """One run.

    Attributes:
        run_no: Order within the session, from 1; only the lowest unfinished one is claimed.
        status: `queued`, `running` (somebody holds the lease), `waiting` (for people), `finished`.
        outcome: Of a finished run: `completed`, `failed`, `stopped`, `interrupted`,
            `budget_exceeded`.
        epoch: Grows with every claim; whoever writes with an older one is refused.
        wake_at: Not to be claimed before; milliseconds of the database's clock.
        lease_until: End of the lease; milliseconds of the database's clock.
        stopping: Somebody asked for its end.
        queued_seq: Where its story begins in the session's stream: the `seq` of `run.queued`.
        finished_seq: Where it ends: the `seq` of `run.finished`; 0 while it is unfinished.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index(
            "uq_runs_at_work",
            "session_id",
            unique=True,
            sqlite_where=text("status IN ('running', 'waiting')"),
            postgresql_where=text("status IN ('running', 'waiting')"),
        ),
        Index(
            "ix_runs_due",
            "wake_at",
            "id",
            sqlite_where=text("status = 'queued'"),
            postgresql_where=text("status = 'queued'"),
        ),
        Index(
            "ix_runs_unfinished",
            "session_id",
            "run_no",
            sqlite_where=text("status <> 'finished'"),
            postgresql_where=text("status <> 'finished'"),
        ),
        Index(
            "ix_runs_leased",
            "lease_until",
            sqlite_where=text("status = 'running'"),
            postgresql_where=text("status = 'running'"),
        ),
        Index(
            "ix_runs_users_at_work",
            "user_id",
            sqlite_where=text("status IN ('running', 'waiting')"),
            postgresql_where=text("status IN ('running', 'waiting')"),
        ),
        Index("uq_runs_session_id_run_no", "session_id", "run_no", unique=True),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(36))
    user_id: Mapped[str] = mapped_column(String(36))
    run_no: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(10), default="queued")
    outcome: Mapped[str | None] = mapped_column(String(20))
    epoch: Mapped[int] = mapped_column(BigInteger, default=0)
    node: Mapped[str | None] = mapped_column(String(80))
    wake_at: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_until: Mapped[int] = mapped_column(BigInteger, default=0)
    stopping: Mapped[bool] = mapped_column(Boolean, default=False)
    queued_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    finished_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
