"""A port: what people have at work in a project, which the rooms above know."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol


class AtWork(Protocol):
    """Stops the agent where a project is closed. Wiring provides the one instance."""

    @abstractmethod
    async def stop(self, project_id: str, *, actor: str, user_id: str | None = None) -> None:
        """Ends what is at work or waits in the project; call it after the closing is committed.

        What this misses, as when the process ends first, is refused its next call.

        Args:
            actor: Who closed it.
            user_id: Whose work; None: everybody's.

        Raises:
            Unavailable: The database does not answer.
        """
