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


class ToolProgressed(Event):
    """What a call has written while it is being made: a preview, in few and short pieces.

    `text` begins `offset` code points into the output; a piece that begins behind the end of the
    one before it leaves something out. After `last` no more is shown. The model never sees it, and
    `tool.finished` replaces it.
    """

    kind: ClassVar[str] = "tool.progressed"
    run_id: str
    turn: int
    call_id: str
    tool: str
    offset: int
    text: str
    last: bool = False


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
