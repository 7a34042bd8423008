"""What two nodes have in common: a carrier each, and what may happen to it."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import text

from homeport.kernel.db import Database
from homeport.kernel.wakeups import Carrier
from homeport.kernel.wakeups.postgresql import PostgreSQLCarrier
from homeport.kernel.wakeups.redis import RedisCarrier
from support.valkey import Valkey

CUT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Line(Protocol):
    def carrier(self) -> Carrier:
        """One more node's."""
        ...

    async def cut(self) -> None:
        """Every connection breaks; what comes behind it works."""
        ...

    async def close(self) -> None:
        """All nodes are gone."""
        ...


class ValkeyLine:
    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    def carrier(self) -> Carrier:
        return RedisCarrier(self._valkey.url, channel="homeport:test")

    async def cut(self) -> None:
        self._valkey.kill()
        self._valkey.start()

    async def close(self) -> None: ...


class PostgreSQLLine:
    def __init__(self, url: str) -> None:
        self._url = url
        self._databases: list[Database] = []

    def carrier(self) -> Carrier:
        self._databases.append(Database(self._url))
        return PostgreSQLCarrier(self._databases[-1])

    async def cut(self) -> None:
        database = Database(self._url)
        async with database.write() as session:
            await session.execute(CUT)
        await database.close()

    async def close(self) -> None:
        for database in self._databases:
            await database.close()
