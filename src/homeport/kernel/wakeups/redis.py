"""Carries wake-ups by PUBLISH and SUBSCRIBE of a Redis or Valkey."""

from __future__ import annotations

from typing import Any, cast

from homeport.kernel.redis import connect
from homeport.kernel.wakeups.carrier import CarrierLost, Heard


class RedisCarrier:
    """See `Carrier`.

    Args:
        url: As in `connect`.
        channel: Shared by all nodes of one installation, and by no other.

    Raises:
        RedisURLUnusable: `url` names no Redis.
    """

    name = "redis"
    largest = 1 << 16

    def __init__(self, url: str, *, channel: str) -> None:
        self._client = connect(url)
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
