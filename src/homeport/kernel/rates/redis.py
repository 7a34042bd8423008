"""Counts in a Redis or Valkey, for all nodes: one round trip for all keys of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

from homeport.kernel.rates.counters import Counters, CountersLost, Tally
from homeport.kernel.redis import connect

CONNECTIONS: Final = 16
# A key without an end (another program's, or a restored one) gets one: it must not lock for ever.
_COUNT: Final = """
local told = {}
for _, key in ipairs(KEYS) do
    local count = redis.call('INCR', key)
    local left = redis.call('PTTL', key)
    if left < 0 then
        redis.call('PEXPIRE', key, ARGV[1])
        left = tonumber(ARGV[1])
    end
    told[#told + 1] = count
    told[#told + 1] = left
end
return told
"""


class RedisCounters(Counters):
    """See `Counters`.

    Args:
        url: As in `connect`.
        prefix: Of all keys; shared by all nodes of one installation, and by no other.
        period: Seconds that a window lasts.

    Raises:
        RedisURLUnusable: `url` names no Redis.
    """

    def __init__(self, url: str, *, prefix: str, period: float) -> None:
        self._client = connect(url)
        self._count: Any = self._client.register_script(_COUNT)
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._prefix = prefix
        self._period_ms = int(period * 1000)

    async def count(self, keys: Sequence[str]) -> list[Tally]:
        """See `Counters.count`."""
        names = [self._prefix + key for key in keys]
        try:
            async with self._places:
                answer = await self._count(keys=names, args=[self._period_ms])
            told = cast("list[int]", answer)
            pairs = zip(told[::2], told[1::2], strict=True)
            tallies = [Tally(int(hits), int(left) / 1000) for hits, left in pairs]
        except Exception as error:
            # Whatever a client makes of bytes that no Redis would send.
            raise CountersLost(repr(error)) from error
        if len(tallies) != len(keys):
            raise CountersLost(f"{len(tallies)} answers to {len(keys)} keys")
        return tallies

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
