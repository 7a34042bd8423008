"""What the nodes of one installation tell each other: where to look in the database they share."""

from __future__ import annotations

import importlib.util

from sqlalchemy import text

from homeport.kernel.db import Database
from homeport.kernel.errors import Invalid
from homeport.kernel.wakeups import Carrier, Wakeups
from homeport.operations import Finding
from homeport.settings import Settings
from homeport.wiring.house import House


class RedisMissing(Invalid):
    """REDIS_URL is set, and nothing here speaks to a Redis."""

    code = "redis.missing"
    title = "The redis package is not installed"


async def wakeups(house: House) -> None:
    """Wake-ups by Redis if there is one, else by PostgreSQL; one process on SQLite needs none."""
    carrier = await _carrier(house.settings, house.get(Database))
    nodes = Wakeups(carrier)
    house.provide(nodes)
    if carrier is None:
        return
    house.rooms.push_async_callback(carrier.close)
    house.chore("wakeups", nodes.run())
    house.banner.append(("nodes", f"wake-ups by {carrier.name}"))

    async def state() -> Finding:
        # Without them all is later, and nothing is lost: a node is ready all the same.
        return Finding(ok=True, detail={"kind": carrier.name, "carried": nodes.works})

    house.checks["wakeups"] = state


def refuse_without_redis() -> None:
    """Passes where the redis package is installed.

    Raises:
        RedisMissing: It is not.
    """
    if importlib.util.find_spec("redis") is None:
        raise RedisMissing("REDIS_URL needs it. In the checkout run: make redis")


async def _carrier(settings: Settings, database: Database) -> Carrier | None:
    if database.dialect == "sqlite":
        return None
    if settings.redis_url is None:
        from homeport.kernel.wakeups.postgresql import PostgreSQLCarrier  # asyncpg is optional

        return PostgreSQLCarrier(database)
    refuse_without_redis()
    from homeport.kernel.wakeups.redis import RedisCarrier  # optional, and slow to import

    async with database.read() as session:
        name = await session.scalar(text("SELECT current_database()"))
    return RedisCarrier(settings.redis_url, channel=f"homeport:{name}:wakeups")
