"""Who was refused what: an event on the account, and never a flood of them.

A refusal is counted while it is answered, and written by a chore outside its transaction: at most
one event a minute for an account, a route and a permission, with how often it was.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import NamedTuple

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Scope

from homeport.eventlog import EventLog
from homeport.eventlog.catalogue.access import AccessDenied
from homeport.kernel import clock
from homeport.kernel.errors import Forbidden, HomeportError, PaymentRequired

WRITE_S = 1.0
APART_S = 60.0
MOST = 10_000
CLOSING_S = 5.0
"""That the end of the process waits for what is not written yet."""
_logger = structlog.get_logger(__name__)


class _Denial(NamedTuple):
    user_id: str
    route: str
    code: str
    needs: str | None


class Denials:
    """The refusals of this process that are not written yet."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._counts: Counter[_Denial] = Counter()
        self._written: dict[_Denial, float] = {}

    def note(self, scope: Scope, user_id: str, error: Forbidden) -> None:
        """Counts a refusal. A budget that is used up is none."""
        if isinstance(error, PaymentRequired):
            return
        # The route's pattern: a path is as long and as manifold as its sender likes.
        pattern = getattr(scope.get("route"), "path", "")
        route = f"{scope.get('method', 'WS')} {pattern}"
        needs = error.members.get("needs")
        denial = _Denial(user_id, route, error.code, str(needs) if needs else None)
        if denial in self._counts or len(self._counts) < MOST:
            self._counts[denial] += 1
        else:
            _logger.warning("denials.too-many", code=error.code, user_id=user_id)

    async def write(self) -> None:
        """Appends what is due; a chore.

        Raises:
            Unavailable: The database does not take it; the next round tries again.
        """
        now = clock.monotonic()
        self._written = {each: at for each, at in self._written.items() if now - at < APART_S}
        for denial in [each for each in self._counts if each not in self._written]:
            await self._append(denial)
            self._written[denial] = now

    async def close(self) -> None:
        """Appends all that is left, for it is in no other place; call it after the last answer."""
        try:
            async with asyncio.timeout(CLOSING_S):
                for denial in list(self._counts):
                    await self._append(denial)
        except (HomeportError, SQLAlchemyError, OSError) as error:  # TimeoutError is an OSError
            _logger.warning("denials.lost", count=self._counts.total(), error=repr(error))

    async def _append(self, denial: _Denial) -> None:
        stream, count = f"account:{denial.user_id}", self._counts[denial]
        fact = AccessDenied(route=denial.route, code=denial.code, needs=denial.needs, count=count)
        async with self._log.unit(stream) as unit:
            unit.append(stream, fact, actor=f"user:{denial.user_id}")
        self._counts[denial] -= count
        if not self._counts[denial]:
            del self._counts[denial]
