"""How Homeport speaks to a Redis or Valkey; imported only where one is configured."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from homeport.kernel.errors import Invalid

CONNECT_S = 1.0


class RedisURLUnusable(Invalid):
    """The address names no Redis."""

    code = "redis.url-unusable"
    title = "REDIS_URL is not usable"


def connect(url: str) -> Redis:
    """A client, which connects when it is first used and never tries twice.

    Args:
        url: `redis://[[user]:password@]host[:port]`, `rediss://...` for TLS, `unix://path`.

    Raises:
        RedisURLUnusable: `url` is none of these.
    """
    try:
        return Redis.from_url(
            url,
            protocol=2,  # the one that every Redis and Valkey speaks
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=CONNECT_S,
            # The client's own may swallow a cancellation (asyncio.wait_for before Python 3.12);
            # whoever calls sets one.
            socket_timeout=None,
        )
    except ValueError:
        # The reason would quote what was read in the wrong place, which may be a password.
        form = "redis://[user:password@]host[:port]"
        detail = f"REDIS_URL is not of the form {form}; percent-encode a password."
        raise RedisURLUnusable(detail) from None
