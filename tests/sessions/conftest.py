from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from homeport.eventlog import EventLog
from homeport.tools.builtin import builtin_tools
from homeport.tools.registry import Registry
from sessions.door import Door, open_door


@pytest.fixture
async def door(log: EventLog, tmp_path: Path) -> AsyncIterator[Door]:
    """A server with ada and bob; an idle session is one that was left for an hour."""
    folder = tmp_path.resolve()
    tools = Registry(builtin_tools())
    async with open_door(log, folder, tools, idle_after=timedelta(hours=1)) as opened:
        await opened.person("ada")
        await opened.person("bob")
        yield opened
