"""Where a run ends by itself: turns, tokens, tool calls, output, time."""

from __future__ import annotations

from dataclasses import dataclass

from homeport.kernel import clock
from homeport.sessions.runstate import RunState


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take.

    Attributes:
        turns: Model turns.
        tokens: Tokens in and out, cached ones included.
        tool_calls: Tool calls, those included that were not made.
        output_bytes: Bytes of answers and results that the log keeps of the run.
        seconds: Wall clock from its first start; what people take to answer is not counted.
        attempts: Times that one turn is asked again when the provider fails.
    """

    turns: int = 100
    tokens: int = 2_000_000
    tool_calls: int = 1_000
    output_bytes: int = 64 << 20
    seconds: float = 3_600
    attempts: int = 5

    def forbids_call(self, state: RunState) -> str | None:
        """The limit that forbids another tool call."""
        return "limit.tool_calls" if self.calls_left(state) <= 0 else self._spent(state)

    def forbids_turn(self, state: RunState) -> str | None:
        """The limit that forbids another model turn; the calls of the last one may be made."""
        if state.next_turn > self.turns:
            return "limit.turns"
        if state.usage.prompt_tokens + state.usage.output_tokens >= self.tokens:
            return "limit.tokens"
        return self._spent(state)

    def calls_left(self, state: RunState) -> int:
        """Tool calls that may still be answered."""
        return self.tool_calls - state.calls

    def seconds_left(self, state: RunState) -> float:
        """Seconds until the time is over; it stands still while the run waits for people."""
        if state.started_at is None:
            return self.seconds
        now = state.paused_at or clock.utc_now().timestamp() * 1000
        return self.seconds - (now - state.started_at - state.waited_ms) / 1000

    def _spent(self, state: RunState) -> str | None:
        if state.output_bytes >= self.output_bytes:
            return "limit.output"
        return "limit.time" if self.seconds_left(state) <= 0 else None
