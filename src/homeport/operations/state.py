"""The state of the server as its operator sees it; the components are wiring's to name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from homeport.kernel.clock import monotonic
from homeport.kernel.errors import HomeportError
from homeport.kernel.http.draining import Draining

CHECK_S = 3.0

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `detail` is shown to people, so it names no secret and no path."""

    ok: bool
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


Check = Callable[[], Awaitable[Finding]]
Count = Callable[[], Awaitable[int]]


class Operations:
    """What the health routes ask.

    Args:
        version: Of Homeport.
        checks: The components of `/readyz`, in the order of the answer.
        active_sessions: Counts the sessions with a run running or waiting.
        draining: Whether the server is about to end.
        reveal: Whether findings are shown in full to anybody who asks (not in production).
    """

    def __init__(
        self,
        *,
        version: str,
        checks: Mapping[str, Check],
        active_sessions: Count,
        draining: Draining,
        reveal: bool,
    ) -> None:
        self.version = version
        self.draining = draining
        self.active_sessions = active_sessions
        self._checks = checks
        self._reveal = reveal
        self._began = monotonic()

    @property
    def uptime_seconds(self) -> int:
        """Whole seconds since the server was put together."""
        return int(monotonic() - self._began)

    async def findings(self) -> dict[str, Finding]:
        """Every component's state; none may take longer than three seconds."""
        found = await asyncio.gather(
            *(self._look(name, check) for name, check in self._checks.items())
        )
        return dict(zip(self._checks, found, strict=True))

    async def _look(self, name: str, check: Check) -> Finding:
        try:
            async with asyncio.timeout(CHECK_S):
                finding = await check()
        except (HomeportError, SQLAlchemyError, TimeoutError, OSError) as error:
            log.warning("component.failed", component=name, error=repr(error))
            return Finding(ok=False)
        return finding if self._reveal else Finding(ok=finding.ok)
