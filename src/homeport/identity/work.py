"""A port: what a person has at work, which the rooms above know."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol


class Work(Protocol):
    """Stops the agent of somebody whose account ends. Wiring provides the one instance."""

    @abstractmethod
    async def stop_all(self, user_id: str, *, actor: str) -> None:
        """Ends what is at work or waits for them; call it after the end is committed.

        What this misses, as when the process ends first, is refused its next call.

        Raises:
            Unavailable: The database does not answer.
        """
