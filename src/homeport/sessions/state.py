"""A pure fold: from a session's events to what the model is told and what a run still has to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from homeport.eventlog import Record
from homeport.eventlog.catalogue import approval, message, run, session, tool, workspace
from homeport.eventlog.catalogue.base import Event
from homeport.providers.blocks import to_wire
from homeport.providers.port import Usage

Block = dict[str, Any]

NO_RESULT = "No result: the run ended before this call was made."
CUT_SHORT = frozenset({"max_tokens", "model_context_window_exceeded"})
"""Stop reasons that may come in the middle of a tool call."""


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
class _Turn:
    """One answer of the model: its blocks, and the calls in them."""

    message_id: str
    turn: int
    stop_reason: str | None
    blocks: list[Block]
    completed: bool
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
    """

    run_id: str
    status: str = "queued"
    epoch: int = 0
    said: list[list[Block]] = field(default_factory=list[list[Block]])
    turns: list[_Turn] = field(default_factory=list[_Turn])
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


class SessionState:
    """The fold. Feed it records in order; ask it for a run, or for what the model is told."""

    def __init__(self, *, after: int = 0) -> None:
        self.runs: dict[str, RunState] = {}
        self.seq = after

    def apply(self, records: Iterable[Record]) -> None:
        """Takes committed events in, oldest first; what it has seen already is skipped."""
        for record in records:
            if record.seq > self.seq:
                self.seq = record.seq
                self._apply(record.event(), record)

    def run(self, run_id: str) -> RunState:
        """The run, empty when nothing is known of it."""
        return self.runs.setdefault(run_id, RunState(run_id))

    def history(self, run_id: str) -> list[dict[str, Any]]:
        """What the model is told in `run_id`: every run up to it, in the order they were queued.

        Messages in the form of the Messages API, roles alternating, each tool call answered.
        """
        told: list[dict[str, Any]] = []
        for state in self.runs.values():
            if state.forgotten:
                continue
            if state.goes_on and told and told[-1]["role"] == "assistant":
                told.pop()  # what broke off is said again
            for blocks in state.said:
                _tell(told, "user", [to_wire(block) for block in blocks])
            for turn in _kept(state, asking=state.run_id == run_id):
                _tell(told, "assistant", _answer(turn))
                if turn.calls:
                    _tell(told, "user", [_result(call) for call in turn.calls])
            if state.run_id == run_id:
                break
        return told

    def _apply(self, event: Event, record: Record) -> None:  # noqa: C901, PLR0912 - one arm per fact
        match event:
            case session.SessionCleared():
                self.runs = {}
            case message.MessageSubmitted():
                self.run(event.run_id).said.append(event.blocks)
            case run.RunRetried():
                self._retried(event)
            case run.RunStarted():
                self.run(event.run_id).take_up(event.epoch, at=record.at)
            case run.RunPaused():
                self.run(event.run_id).pause(at=record.at)
            case run.RunFinished():
                self.run(event.run_id).status = "finished"
            case run.TurnStarted():
                state = self.run(event.run_id)
                state.turn, state.attempts = event.turn, 0
            case run.TurnRetried():
                self.run(event.run_id).attempts = event.attempt
            case message.MessageStarted():
                self.run(event.run_id).open_message = event
            case message.MessageCompleted() | message.MessageInterrupted():
                self._answered(event, size=len(record.payload))
            case tool.ToolStarted():
                call = self.run(event.run_id).call(event.call_id)
                if call is not None:
                    call.started = True
            case tool.ToolFinished():
                self.run(event.run_id).take_result(event, size=len(record.payload))
            case workspace.CheckpointCreated():
                self.run(event.run_id).checkpoints[event.turn] = event.commit
            case workspace.CheckpointFailed():
                self.run(event.run_id).unkept.add(event.turn)
            case approval.ApprovalRequested():
                call = self.run(event.run_id).call(event.call_id)
                if call is not None:
                    call.approval, call.approval_digest = "requested", event.digest
            case approval.ApprovalApproved():
                self._decided(event.run_id, event.call_id, "approved", event.note)
            case approval.ApprovalDenied():
                self._decided(event.run_id, event.call_id, "denied", event.note)
            case approval.ApprovalExpired():
                self._decided(event.run_id, event.call_id, "expired", None)
            case _:
                pass

    def _retried(self, event: run.RunRetried) -> None:
        state, earlier = self.run(event.run_id), self.run(event.of)
        state.goes_on = not event.anew or earlier.goes_on
        if event.anew:
            state.said, earlier.forgotten = earlier.said, True

    def _answered(
        self, event: message.MessageCompleted | message.MessageInterrupted, *, size: int
    ) -> None:
        state = self.run(event.run_id)
        state.open_message = None
        state.output_bytes += size
        state.usage += Usage(
            event.input_tokens,
            event.output_tokens,
            event.cache_read_tokens,
            event.cache_write_tokens,
        )
        state.cost_usd += event.cost_usd
        completed = isinstance(event, message.MessageCompleted)
        stop_reason = event.stop_reason if isinstance(event, message.MessageCompleted) else None
        turn = _Turn(event.message_id, event.turn, stop_reason, event.blocks, completed)
        if completed:
            asked = [block for block in event.blocks if block["type"] == "tool_use"]
            turn.calls = [
                ToolCall(block["id"], block["name"], block.get("text", "")) for block in asked
            ]
            if stop_reason in CUT_SHORT and event.blocks and event.blocks[-1] in asked:
                turn.calls[-1].cut = True
        state.turns.append(turn)

    def _decided(self, run_id: str, call_id: str, approval: str, note: str | None) -> None:
        call = self.run(run_id).call(call_id)
        if call is not None:
            call.approval, call.note = approval, note


def _kept(state: RunState, *, asking: bool) -> list[_Turn]:
    """The answers that count: an interrupted one only where no later attempt takes its place.

    Of a refused one the provider wants nothing back; with it, it would refuse again.

    Args:
        asking: The run is about to ask: what broke off last is what it asks for once more.
    """
    taken_again = {
        index
        for index, turn in enumerate(state.turns)
        if not turn.completed
        and (asking or any(later.turn == turn.turn for later in state.turns[index + 1 :]))
    }
    return [
        turn
        for index, turn in enumerate(state.turns)
        if index not in taken_again and turn.stop_reason != "refusal"
    ]


def _answer(turn: _Turn) -> list[Block]:
    if turn.completed:
        return [to_wire(block) for block in turn.blocks if _says_something(block)]
    # Of a broken answer the model may be shown what people saw as text; half a call or a thought
    # without its signature would be refused.
    return [to_wire(b) for b in turn.blocks if b["type"] == "text" and b["text"].strip()]


def _says_something(block: Block) -> bool:
    return block["type"] != "text" or bool(block["text"].strip())


def _result(call: ToolCall) -> Block:
    result = call.result
    return {
        "type": "tool_result",
        "tool_use_id": call.call_id,
        "content": result.content if result is not None else NO_RESULT,
        "is_error": result.is_error if result is not None else True,
    }


def _tell(told: list[dict[str, Any]], role: str, blocks: list[Block]) -> None:
    if not blocks:
        return
    if told and told[-1]["role"] == role:
        told[-1]["content"].extend(blocks)
    else:
        told.append({"role": role, "content": list(blocks)})
