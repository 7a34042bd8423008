"""Has the whole log verified now and then, and writes into it what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import func, select

from homeport.eventlog.catalogue.audit import AuditVerified
from homeport.eventlog.errors import PayloadErased
from homeport.eventlog.log import EventLog
from homeport.eventlog.lookup import heads_of, records_at
from homeport.eventlog.models import EventRow
from homeport.eventlog.verify_process import Question, Unverified, ask
from homeport.kernel import clock
from homeport.kernel.db import ReadSession, leader

STREAM = "audit"
LEASE = "audit.verify"
LEASE_S = 4_000.0
"""Longer than a verification may take."""
AGAIN_MS = 3_600_000
"""After one that failed."""
_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verified:
    """A verification, and when it was done, in milliseconds since 1970."""

    at: int
    fact: AuditVerified


async def last_verified(session: ReadSession) -> Verified | None:
    """The last verification."""
    seq = (await heads_of(session, [STREAM])).get(STREAM, 0)
    record = (await records_at(session, [(STREAM, seq)])).get((STREAM, seq))
    if record is None:
        return None
    try:
        event = record.event()
    except (ValueError, LookupError, PayloadErased):
        return None  # somebody wrote over it: the next verification names that
    return Verified(record.at, event) if isinstance(event, AuditVerified) else None


class Verifier:
    """Verifies. `step` is a chore of every node; the one that leads does it.

    Args:
        question: What to verify, with the keys of this moment.
        node: What this node calls itself.
        holder: This process, among all nodes.
        hours: Between two verifications.
    """

    def __init__(
        self,
        log: EventLog,
        question: Callable[[], Question],
        *,
        node: str,
        holder: str,
        hours: float,
    ) -> None:
        self._log = log
        self._question = question
        self._node = node
        self._holder = holder
        self._between_ms = hours * 3_600_000
        self._not_before_ms = 0.0

    async def step(self) -> None:
        """Verifies if it is due.

        Raises:
            Unverified: It did not come to its end.
            Unavailable: The database is busy or does not answer.
            OSError: No process can be started.
        """
        now = clock.utc_now().timestamp() * 1000
        if now < self._not_before_ms or not await self._is_due(now):
            return
        async with self._log.database.write() as session:
            if not await leader.hold(session, LEASE, holder=self._holder, ttl_s=LEASE_S):
                return
        try:
            told = await ask(self._question())
        except (Unverified, OSError):
            self._not_before_ms = now + AGAIN_MS
            raise
        fact = AuditVerified.model_validate({"node": self._node, **told})
        async with self._log.unit(STREAM) as unit:
            if not await leader.hold(unit.session, LEASE, holder=self._holder, ttl_s=0):
                return
            unit.append(STREAM, fact, actor="system")
        say = _logger.error if fact.findings else _logger.info
        say("audit.verified", events=fact.events, findings=fact.findings)

    async def _is_due(self, now: float) -> bool:
        """A log that was never verified is due when its first event is so old."""
        async with self._log.database.read() as session:
            last = await last_verified(session)
            if last is not None:
                return now - last.at >= self._between_ms
            oldest = select(func.min(EventRow.position)).scalar_subquery()
            first = await session.scalar(select(EventRow.at).where(EventRow.position == oldest))
        return first is not None and now - first >= self._between_ms
