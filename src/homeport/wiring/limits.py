"""How much may be asked of this server, counted for one process or for all nodes together."""

from __future__ import annotations

from homeport.kernel.db import Database
from homeport.kernel.http.middleware.rates import RateLimiter, RatePolicy
from homeport.kernel.rates import Counters, MemoryCounters, SharedCounters
from homeport.operations import Finding
from homeport.wiring.house import House
from homeport.wiring.nodes import refuse_without_redis


async def limits(house: House) -> None:
    """Counts in a Redis if there is one; without it each node counts for itself.

    Raises:
        RedisMissing: REDIS_URL is set, and nothing here speaks to a Redis.
    """
    settings = house.settings
    policy = RatePolicy(
        requests=settings.rate_limit_requests,
        streams=settings.rate_limit_streams,
        tokens=settings.rate_limit_refreshes,
        credentials=settings.rate_limit_credentials,
        period=settings.rate_limit_period,
    )
    counters: Counters = MemoryCounters(policy.period)
    if settings.redis_url is not None and settings.rate_limit_enabled:
        counters = _shared(house, settings.redis_url, counters, policy.period)
    house.provide(RateLimiter(policy, counters))


def _shared(house: House, url: str, local: Counters, period: float) -> Counters:
    refuse_without_redis()
    from homeport.kernel.rates.redis import RedisCounters  # optional, and slow to import

    database: Database = house.get(Database)
    prefix = f"homeport:{database.url.database}:rates:"
    redis = RedisCounters(url, prefix=prefix, period=period)
    house.rooms.push_async_callback(redis.close)
    shared = SharedCounters(redis, local)

    async def state() -> Finding:
        # Without it each node counts for itself, which is never more than a node's own limit.
        return Finding(ok=True, detail={"kind": "redis", "shared": shared.works})

    house.checks["rate-limits"] = state
    return shared
