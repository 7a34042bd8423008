"""A PostgreSQL that cannot be reached, in each way that there is, is told as just that."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from homeport.kernel.db import Database, engine
from homeport.kernel.db.failures import DatabaseUnreachable
from homeport.wiring.house import every


async def refused(database: Database) -> None:
    with pytest.raises(DatabaseUnreachable):
        async with database.read():
            pass
    await database.close()


async def test_database_when_nobody_listens_then_it_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    await refused(Database(f"postgresql://u:p@127.0.0.1:{port}/d"))


async def test_database_when_it_accepts_and_says_nothing_then_it_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "POOL_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        await refused(Database(f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/d"))


async def test_database_when_its_name_does_not_resolve_then_it_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    await refused(Database("postgresql://u:p@database.invalid/d"))


@pytest.mark.parametrize(
    "failure", [socket.gaierror(-2, "no name"), TimeoutError(), OSError(113, "")]
)
async def test_chore_when_its_step_fails_for_want_of_a_network_then_it_goes_on(
    failure: OSError,
) -> None:
    steps = asyncio.Queue[None]()

    async def step() -> None:
        steps.put_nowait(None)
        raise failure

    chore = asyncio.create_task(every(0, step))
    for _ in range(3):
        await asyncio.wait_for(steps.get(), 10)
    chore.cancel()
    await asyncio.gather(chore, return_exceptions=True)
