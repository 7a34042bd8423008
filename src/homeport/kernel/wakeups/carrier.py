"""What carries wake-ups from node to node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Heard = Callable[[bytes], None]


class CarrierLost(Exception):
    """The carrier does not work now; wake-ups are lost until it does."""


class Carrier(Protocol):
    """A channel on which every node hears every message, its own included.

    Attributes:
        name: What it is, for the operator.
        largest: Bytes of one message at most.
    """

    name: str
    largest: int

    async def listen(self, heard: Heard) -> None:
        """Calls `heard` for every message, and once with `b""` when it has begun to listen.

        Raises:
            CarrierLost: It listens no longer. It never returns in another way.
        """
        ...

    async def send(self, message: bytes) -> None:
        """Sends one message to all who listen now.

        Raises:
            CarrierLost: It was not sent.
        """
        ...

    async def close(self) -> None:
        """Lets go of what it holds."""
        ...
