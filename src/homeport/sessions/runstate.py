"""One run as its events tell it: what was said, what was answered, what is still to be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from homeport.eventlog.catalogue import message, tool
from homeport.providers.port import Usage

Block = dict[str, Any]


@dataclass(slots=True)
class ToolCall:
    """One call that the model asked for.

    Attributes:
        raw: The JSON text of its input, as the model wrote it.
        cut: The turn ended by length inside this call; it must not be run.
        approval_digest: What exactly people were asked about.
        approval: `requested`, `approved`, `denied`, `expired`, or None when nobody was asked.
    """

    call_id: str
    tool: str
    raw: str
    cut: bool = False
    started: bool = False
    result: tool.ToolFinished | None = None
    approval: str | None = None
    approval_digest: str | None = None
    note: str | None = None


@dataclass(slots=True)
class Turn:
    """One answer of the model: its blocks, and the calls in them."""

    message_id: str
    turn: int
    stop_reason: str | None
    blocks: list[Block]
    completed: bool
    usage: Usage = field(default_factory=Usage)
    calls: list[ToolCall] = field(default_factory=list[ToolCall])


@dataclass(slots=True)
class RunState:
    """One run as its events tell it.

    Attributes:
        turn: Of the last answer that was begun.
        attempts: How often that turn has failed so far.
        calls: Tool calls that have a result.
        output_bytes: What the log keeps of its answers and results.
        waited_ms: How long it waited for people in all.
        goes_on: It takes up what the run before it left, where nothing more was said.
        forgotten: Another run answers in its place.
        summarised: So many of its answers are told by the session's summary only.
    """

    run_id: str
    status: str = "queued"
    epoch: int = 0
    said: list[list[Block]] = field(default_factory=list[list[Block]])
    turns: list[Turn] = field(default_factory=list[Turn])
    open_message: message.MessageStarted | None = None
    turn: int = 0
    attempts: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    calls: int = 0
    output_bytes: int = 0
    started_at: int | None = None
    paused_at: int | None = None
    waited_ms: int = 0
    goes_on: bool = False
    forgotten: bool = False
    summarised: int = 0
    checkpoints: dict[int, str] = field(default_factory=dict[int, str])
    unkept: set[int] = field(default_factory=set[int])

    @property
    def pending(self) -> list[ToolCall]:
        """The calls of the last answer that have no result yet, in order."""
        last = self.turns[-1] if self.turns else None
        if last is None or not last.completed:
            return []
        return [call for call in last.calls if call.result is None]

    @property
    def answered(self) -> bool:
        """Whether the model has said all it wanted: no calls, no pause, or a refusal.

        What an answer calls that was refused in its middle is not meant, and is not made.
        """
        last = self.turns[-1] if self.turns else None
        if last is None or not last.completed:
            return False
        if last.stop_reason == "refusal":
            return True
        return not last.calls and last.stop_reason != "pause_turn"

    @property
    def next_turn(self) -> int:
        """The number of the next answer: a turn that failed is taken again."""
        again = bool(self.turns) and not self.turns[-1].completed
        return self.turn if again else self.turn + 1

    def take_up(self, epoch: int, *, at: int) -> None:
        """Somebody works on it, from `at` on."""
        self.status, self.epoch = "running", epoch
        self.started_at = self.started_at or at
        if self.paused_at is not None:
            self.waited_ms += at - self.paused_at
            self.paused_at = None

    def pause(self, *, at: int) -> None:
        """It waits for people, from `at` on."""
        self.status, self.paused_at = "waiting", at

    def take_result(self, result: tool.ToolFinished, *, size: int) -> None:
        """One of its calls is answered, by `size` bytes."""
        self.calls += 1
        self.output_bytes += size
        call = self.call(result.call_id)
        if call is not None:
            call.result = result

    def call(self, call_id: str) -> ToolCall | None:
        """The call of that id, from the newest answer back."""
        for turn in reversed(self.turns):
            for each in turn.calls:
                if each.call_id == call_id:
                    return each
        return None
