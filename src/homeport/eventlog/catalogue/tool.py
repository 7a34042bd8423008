"""Facts of tool calls: the journal that keeps each of them at most once."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from homeport.eventlog.catalogue.base import Event


class ToolStarted(Event):
    """Committed before the spawn; found without its end after a crash, it is `unknown`."""

    kind: ClassVar[str] = "tool.started"
    run_id: str
    turn: int
    call_id: str
    tool: str
    input: dict[str, Any]


class ToolFinished(Event):
    """The result that the model gets.

    `unknown`: started before a crash and not seen to end, never run again. `denied`, `expired`,
    `cancelled` and `refused` never started.
    """

    kind: ClassVar[str] = "tool.finished"
    run_id: str
    turn: int
    call_id: str
    tool: str
    status: Literal["completed", "failed", "unknown", "denied", "expired", "cancelled", "refused"]
    content: str
    is_error: bool
    duration_ms: int | None = None
    exit_code: int | None = None
    details: dict[str, Any] = {}


class ToolRecorded(Event):
    """A client reports a tool that ran elsewhere."""

    kind: ClassVar[str] = "tool.recorded"
    call_id: str
    tool: str
    tool_type: str
    status: str
    input: dict[str, Any]
    output: dict[str, Any] | None = None
    error_message: str | None = None
    duration_ms: int | None = None
