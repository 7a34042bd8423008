"""Writes the facts of a conversation once more, into another session and under new ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert

from homeport.dispatch.models import RunRow
from homeport.eventlog import Unit
from homeport.eventlog.catalogue.base import Event
from homeport.eventlog.catalogue.context import ContextCompacted
from homeport.eventlog.catalogue.message import (
    MessageCompleted,
    MessageInterrupted,
    MessageStarted,
    MessageSubmitted,
)
from homeport.eventlog.catalogue.run import RunFinished, RunQueued, RunRetried, TurnStarted
from homeport.eventlog.catalogue.tool import ToolFinished, ToolStarted
from homeport.kernel import clock, ids
from homeport.sessions.access import stream_of
from homeport.sessions.models import MessageRow, SessionRow, ToolCallRow
from homeport.sessions.service.conclude import CANCELLED, UNKNOWN

COPIED = frozenset(
    event.kind
    for event in (
        MessageSubmitted,
        RunQueued,
        RunRetried,
        TurnStarted,
        MessageStarted,
        MessageCompleted,
        MessageInterrupted,
        ToolStarted,
        ToolFinished,
        ContextCompacted,
        RunFinished,
    )
)
"""What the model is told and people read again. Questions, leases and checkpoints stay behind."""
PAID = {
    "input_tokens": 0,
    "output_tokens": 0,
    "cache_read_tokens": 0,
    "cache_write_tokens": 0,
    "cost_usd": 0.0,
}
ENDED = "fork"
"""Reason of a run that was unfinished where the original was cut."""
Row = dict[str, Any]


class Replay:
    """Takes facts in order and ends with a conversation in which nothing is unfinished.

    Args:
        unit: Open on the new session's stream.
        row: The new session.
    """

    def __init__(self, unit: Unit, row: SessionRow) -> None:
        self._unit = unit
        self._row = row
        self._stream = stream_of(row.id)
        self._now = clock.utc_now()
        self._ids: dict[str, str] = {}
        self._runs: dict[str, Row] = {}
        self._messages: dict[str, Row] = {}
        self._calls: dict[tuple[str, str], Row] = {}
        self._asked: dict[tuple[str, str], tuple[int, str]] = {}
        # A message that is open, and what happened behind its start.
        self._held: list[tuple[Event, str]] = []

    def add(self, event: Event, *, actor: str) -> None:
        """The next fact of the original, by its `actor` there."""
        closes = isinstance(event, MessageCompleted | MessageInterrupted)
        if isinstance(event, MessageStarted) or (self._held and not closes):
            # Written when it is known whether anything was said in the message.
            self._held.append((event, actor))
            return
        if closes:
            self._let_go()
        self._write_fact(event, actor)

    async def end(self, broken_off: list[Row], *, actor: str) -> None:
        """Ends what the cut has left open, and writes the rows.

        Args:
            broken_off: Blocks of the message that was open, in stored form.
        """
        if self._held and any(block.get("text") for block in broken_off):
            opened, who = self._held[0]
            self._let_go()
            self._interrupt(opened, who, broken_off)
        elif self._held:
            del self._held[0]
            self._let_go()
        for (run_id, call_id), (turn, tool) in list(self._asked.items()):
            started = (run_id, call_id) in self._calls
            unmade = ToolFinished(
                run_id=run_id,
                turn=turn,
                call_id=call_id,
                tool=tool,
                status="unknown" if started else "cancelled",
                content=UNKNOWN if started else CANCELLED,
                is_error=True,
            )
            self._note(unmade, self._unit.append(self._stream, unmade, actor=actor))
        for run in self._runs.values():
            if not run["finished_seq"]:
                over = RunFinished(run_id=run["id"], status="interrupted", reason=ENDED)
                self._note(over, self._unit.append(self._stream, over, actor=actor))
        await self._write()

    def _let_go(self) -> None:
        held, self._held = self._held, []
        for event, actor in held:
            self._write_fact(event, actor)

    def _interrupt(self, opened: Event, actor: str, blocks: list[Row]) -> None:
        if not isinstance(opened, MessageStarted):
            raise TypeError("only a message that was started is interrupted")
        event = MessageInterrupted(
            message_id=opened.message_id,
            run_id=opened.run_id,
            turn=opened.turn,
            blocks=blocks,
            reason="stopped",
        )
        self._write_fact(event, actor)

    def _write_fact(self, event: Event, actor: str) -> None:
        event = event.model_copy(update=self._renamed(event))
        kind, _, who = actor.partition(":")
        actor = f"run:{self._new(who)}" if kind == "run" else actor
        self._note(event, self._unit.append(self._stream, event, actor=actor))

    def _renamed(self, event: Event) -> Mapping[str, Any]:
        """The members that are other ones here: ids, numbers, and what was paid there."""
        given = event.model_dump(include={"message_id", "run_id", "of"})
        renamed: Row = {name: self._new(value) for name, value in given.items()}
        if isinstance(event, RunQueued):
            renamed["run_no"] = len(self._runs) + 1
        if isinstance(event, MessageSubmitted):
            renamed["client_message_id"] = None
        if isinstance(event, ContextCompacted):
            renamed["up_to_seq"] = self._unit.head(self._stream)
        return renamed | {name: none for name, none in PAID.items() if hasattr(event, name)}

    def _new(self, original: str) -> str:
        return self._ids.setdefault(original, ids.new_id())

    def _note(self, event: Event, seq: int) -> None:
        match event:
            case MessageSubmitted():
                self._message(event.message_id, event.run_id, "user", "completed", seq)
            case MessageStarted():
                self._message(event.message_id, event.run_id, "assistant", "open", 0)
            case MessageCompleted() | MessageInterrupted():
                self._message_closed(event, seq)
            case RunQueued():
                self._run(event, seq)
            case RunFinished() if event.run_id in self._runs:  # else its beginning was erased
                ended = {"outcome": event.status, "finished_seq": seq, "finished_at": self._now}
                self._runs[event.run_id] |= ended
            case ToolStarted():
                self._call(event, seq)
            case ToolFinished():
                self._call_ended(event, seq)
            case _:
                pass

    def _message(self, message_id: str, run_id: str, role: str, status: str, seq: int) -> None:
        row = self._row
        self._messages[message_id] = {
            "id": message_id,
            "session_id": row.id,
            "run_id": run_id,
            "role": role,
            "ordinal": row.ordinal,
            "role_ordinal": row.user_ordinal if role == "user" else row.assistant_ordinal,
            "status": status,
            "seq": seq,
            "tokens": 0,
            "created_at": self._now,
        }
        row.ordinal += 1
        if role == "user":
            row.user_ordinal += 1
        else:
            row.assistant_ordinal += 1

    def _message_closed(self, event: MessageCompleted | MessageInterrupted, seq: int) -> None:
        whole = isinstance(event, MessageCompleted)
        status = "completed" if whole else "interrupted"
        self._messages[event.message_id] |= {"status": status, "seq": seq}
        for block in event.blocks if whole else ():
            if block["type"] == "tool_use":
                self._asked[event.run_id, block["id"]] = (event.turn, block["name"])

    def _run(self, event: RunQueued, seq: int) -> None:
        self._runs[event.run_id] = {
            "id": event.run_id,
            "session_id": self._row.id,
            "user_id": self._row.user_id,
            "run_no": event.run_no,
            "status": "finished",
            "outcome": None,
            "epoch": 0,
            "wake_at": 0,
            "lease_until": 0,
            "stopping": False,
            "queued_seq": seq,
            "finished_seq": 0,
            "created_at": self._now,
            "finished_at": None,
        }

    def _call(self, event: ToolStarted | ToolFinished, started_seq: int) -> Row:
        row: Row = {
            "id": ids.new_id(),
            "session_id": self._row.id,
            "run_id": event.run_id,
            "call_id": event.call_id,
            "tool": event.tool,
            "tool_type": "native",
            "status": "running",
            "is_error": False,
            "started_seq": started_seq,
            "finished_seq": 0,
            "duration_ms": None,
            "created_at": self._now,
            "completed_at": None,
        }
        return self._calls.setdefault((event.run_id, event.call_id), row)

    def _call_ended(self, event: ToolFinished, seq: int) -> None:
        self._asked.pop((event.run_id, event.call_id), None)
        row = self._call(event, 0)
        row["status"] = "failed" if event.is_error else "completed"
        row["is_error"] = event.is_error
        row["finished_seq"] = seq
        row["duration_ms"] = event.duration_ms
        row["completed_at"] = self._now

    async def _write(self) -> None:
        tables = ((RunRow, self._runs), (MessageRow, self._messages), (ToolCallRow, self._calls))
        for model, rows in tables:
            if rows:
                await self._unit.session.execute(insert(model), list(rows.values()))
