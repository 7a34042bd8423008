"""Where a run ends by itself: turns, tokens, time."""

from __future__ import annotations

from dataclasses import dataclass

from homeport.kernel import clock
from homeport.sessions.state import RunState


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take.

    Attributes:
        turns: Model turns.
        tokens: Tokens in and out, cached ones included.
        seconds: Wall clock from its first start, waiting for people included.
        attempts: Times that one turn is asked again when the provider fails.
    """

    turns: int = 100
    tokens: int = 2_000_000
    seconds: float = 3_600
    attempts: int = 5

    def exceeded(self, state: RunState) -> str | None:
        """The limit that forbids another turn: `limit.turns`, `limit.tokens`, `limit.time`."""
        if state.turn >= self.turns:
            return "limit.turns"
        if state.usage.prompt_tokens + state.usage.output_tokens >= self.tokens:
            return "limit.tokens"
        if self.seconds_left(state) <= 0:
            return "limit.time"
        return None

    def seconds_left(self, state: RunState) -> float:
        """Seconds until the time is over."""
        if state.started_at is None:
            return self.seconds
        return self.seconds - (clock.utc_now().timestamp() - state.started_at / 1000)
