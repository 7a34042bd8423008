"""The port to the rooms above that know what an account has done; wiring provides the answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ActivityFigures:
    """What a profile shows.

    Attributes:
        token_usage: Tokens by kind (`input_tokens`, `output_tokens`, ...).
    """

    session_count: int
    message_count: int
    token_usage: Mapping[str, int]


class Activity(Protocol):
    """Knows what an account has done."""

    @abstractmethod
    async def of(self, user_id: str) -> ActivityFigures:
        """The figures of `user_id`, as of now."""
