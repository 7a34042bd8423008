"""The session's stream behind a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from homeport.eventlog import EventLog
from readers.hall import Hall, open_hall


@pytest.fixture
async def hall(log: EventLog) -> AsyncIterator[Hall]:
    """A session, and everything through which it is read."""
    await log.start()
    async with open_hall(log) as opened:
        yield opened
    await log.stop()
