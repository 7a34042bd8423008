"""Carries wake-ups by PUBLISH and SUBSCRIBE of a Redis or Valkey."""

from __future__ import annotations

from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from homeport.kernel.errors import Invalid
from homeport.kernel.wakeups.carrier import CarrierLost, Heard

CONNECT_S = 1.0


class RedisURLUnusable(Invalid):
    """The address names no Redis."""

    code = "redis.url-unusable"
    title = "REDIS_URL is not usable"


class RedisCarrier:
    """See `Carrier`.

    Args:
        url: `redis://[[user]:password@]host[:port]`, `rediss://...` for TLS, `unix://path`.
        channel: Shared by all nodes of one installation, and by no other.

    Raises:
        RedisURLUnusable: `url` is none of these.
    """

    name = "redis"
    largest = 1 << 16

    def __init__(self, url: str, *, channel: str) -> None:
        try:
            self._client = Redis.from_url(
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
        self._channel = channel

    async def listen(self, heard: Heard) -> None:
        """See `Carrier.listen`."""
        try:
            async with self._client.pubsub() as pubsub:
                await pubsub.subscribe(self._channel)
                while True:
                    message = cast("dict[str, Any] | None", await pubsub.get_message(timeout=None))
                    if message is not None:
                        heard(message["data"] if message["type"] == "message" else b"")
        except Exception as error:
            # Whatever a client makes of bytes that no Redis would send.
            raise CarrierLost(repr(error)) from error

    async def send(self, message: bytes) -> None:
        """See `Carrier.send`."""
        try:
            await self._client.publish(self._channel, message)
        except Exception as error:
            raise CarrierLost(repr(error)) from error

    async def close(self) -> None:
        """See `Carrier.close`."""
        await self._client.aclose()
