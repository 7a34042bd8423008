"""A pure fold: from a session's events to what the model is told and what a run still has to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from homeport.eventlog import Record
from homeport.eventlog.catalogue import approval, context, message, run, session, tool, workspace
from homeport.eventlog.catalogue.base import Event
from homeport.providers.port import Usage
from homeport.sessions import told
from homeport.sessions.runstate import RunState, ToolCall, Turn

CUT_SHORT = frozenset({"max_tokens", "model_context_window_exceeded"})
"""Stop reasons that may come in the middle of a tool call."""

PASSED_OVER = frozenset({tool.ToolProgressed.kind})
"""There may be a hundred to a call, and nothing follows from them: not worth decoding."""


class SessionState:
    """The fold. Feed it records in order; ask it for a run, or for what the model is told."""

    def __init__(self, *, after: int = 0) -> None:
        self.runs: dict[str, RunState] = {}
        self.summary: str | None = None
        self.seq = after

    def apply(self, records: Iterable[Record]) -> None:
        """Takes committed events in, oldest first; what it has seen already is skipped."""
        for record in records:
            if record.seq > self.seq:
                self.seq = record.seq
                if record.erased:
                    self._passed(record)
                elif record.kind not in PASSED_OVER:
                    self._apply(record.event(), record)

    def run(self, run_id: str) -> RunState:
        """The run, empty when nothing is known of it."""
        return self.runs.setdefault(run_id, RunState(run_id))

    def history(self, run_id: str) -> list[dict[str, Any]]:
        """What the model is told in `run_id`; see `told.history`."""
        return told.history(self.runs.values(), run_id, summary=self.summary)

    def context_tokens(self, run_id: str) -> int:
        """About how many tokens `history` is; see `told.context_tokens`."""
        return told.context_tokens(self.runs.values(), run_id, summary=self.summary)

    def has_answers(self, run_id: str) -> bool:
        """Whether there is an answer in `history`."""
        return told.has_answers(self.runs.values(), run_id)

    def _apply(self, event: Event, record: Record) -> None:  # noqa: C901, PLR0912 - one arm per fact
        match event:
            case session.SessionCleared():
                self.runs, self.summary = {}, None
            case context.ContextCompacted():
                self._compacted(event)
            case context.CompactionFailed():
                self._used(event)
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

    def _passed(self, record: Record) -> None:
        """What was erased is told to nobody; a message that it closed is closed."""
        if record.bounds == "closes":
            for state in self.runs.values():
                state.open_message = None

    def _retried(self, event: run.RunRetried) -> None:
        state, earlier = self.run(event.run_id), self.run(event.of)
        state.goes_on = not event.anew or earlier.goes_on
        if event.anew:
            state.said, earlier.forgotten = earlier.said, True

    def _compacted(self, event: context.ContextCompacted) -> None:
        """Forgets the runs before this one, and what was answered in it; not what it is to do."""
        state = self.run(event.run_id)
        ids = list(self.runs)
        for run_id in reversed(ids[: ids.index(event.run_id)]):
            earlier = self.runs.pop(run_id)
            # One that goes on where another broke off has its task from there.
            state.said = state.said or earlier.said
        self.summary, state.summarised = event.summary, len(state.turns)
        self._used(event)

    def _used(self, event: context.ContextCompacted | context.CompactionFailed) -> None:
        state = self.run(event.run_id)
        state.usage += _usage(event)
        state.cost_usd += event.cost_usd

    def _answered(
        self, event: message.MessageCompleted | message.MessageInterrupted, *, size: int
    ) -> None:
        state = self.run(event.run_id)
        state.open_message = None
        state.output_bytes += size
        state.usage += (usage := _usage(event))
        state.cost_usd += event.cost_usd
        completed = isinstance(event, message.MessageCompleted)
        stop_reason = event.stop_reason if isinstance(event, message.MessageCompleted) else None
        turn = Turn(event.message_id, event.turn, stop_reason, event.blocks, completed, usage)
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


def _usage(
    event: message.MessageCompleted
    | message.MessageInterrupted
    | context.ContextCompacted
    | context.CompactionFailed,
) -> Usage:
    return Usage(
        event.input_tokens,
        event.output_tokens,
        event.cache_read_tokens,
        event.cache_write_tokens,
    )
