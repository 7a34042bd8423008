from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeport.eventlog import EventLog
from homeport.projects.places import Places
from homeport.projects.policy import Limits
from projects.door import Door, open_door


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A server's disk: `code` is a root, `data` holds the secrets and the workspaces."""
    base = tmp_path.resolve() / "disk"
    for folder in ("code/app", "code/lib", "data/workspaces", "elsewhere"):
        (base / folder).mkdir(parents=True)
    return base


@pytest.fixture
def places(disk: Path) -> Places:
    return Places(
        workspace_dir=disk / "data/workspaces",
        roots=(disk / "code",),
        closed=(disk / "data",),
        development=True,
    )


@pytest.fixture
async def door(log: EventLog, places: Places) -> AsyncIterator[Door]:
    async with open_door(log, places, Limits()) as opened:
        await opened.person("ada")
        await opened.person("bob")
        await opened.person("root", "admin")
        yield opened
