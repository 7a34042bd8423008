"""Facts of a run: one execution of the agent loop."""

from __future__ import annotations

from typing import ClassVar, Literal

from homeport.eventlog.catalogue.base import Event


class RunQueued(Event):
    """A run will answer `message_id`, after the runs before it."""

    kind: ClassVar[str] = "run.queued"
    run_id: str
    run_no: int
    message_id: str


class RunRetried(Event):
    """The run takes the place of `of`, the one before it, at a person's wish.

    `anew`: it answers the same message again, and the agent forgets what `of` said, but not a
    summary that was made in it. Else it goes on behind the last whole turn of `of`.
    """

    kind: ClassVar[str] = "run.retried"
    run_id: str
    of: str
    anew: bool


class RunStarted(Event):
    """A node took the run up. `epoch` above 1 means that it continues what another node began."""

    kind: ClassVar[str] = "run.started"
    run_id: str
    epoch: int
    node: str


class RunPaused(Event):
    """The run waits for people and holds no lease."""

    kind: ClassVar[str] = "run.paused"
    run_id: str
    approval_ids: list[str]


class RunStopRequested(Event):
    """Somebody wants the run to end."""

    kind: ClassVar[str] = "run.stop_requested"
    run_id: str


class RunFinished(Event):
    """The run is over, for good.

    `stopped` is by people, `budget_exceeded` by a limit of what one run may take: `reason` is then
    `limit.turns`, `limit.tokens`, `limit.tool_calls`, `limit.output` or `limit.time`.
    """

    kind: ClassVar[str] = "run.finished"
    run_id: str
    status: Literal["completed", "failed", "stopped", "interrupted", "budget_exceeded"]
    reason: str | None = None
    detail: str | None = None
    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0


class TurnStarted(Event):
    """A model turn begins; `context` names the project's instruction files that it got."""

    kind: ClassVar[str] = "turn.started"
    run_id: str
    turn: int
    model: str
    context: list[str] = []


class TurnRetried(Event):
    """The model could not be reached, or broke off; it is asked again after `delay_ms`."""

    kind: ClassVar[str] = "turn.retried"
    run_id: str
    turn: int
    attempt: int
    delay_ms: int
    code: str
    detail: str


class UsageRecorded(Event):
    """A stateless model call outside any session; its text is not kept."""

    kind: ClassVar[str] = "usage.recorded"
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0
    status: Literal["completed", "failed", "cancelled"] = "completed"
