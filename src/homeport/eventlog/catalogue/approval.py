"""Facts of approvals: questions to people, durable, answered once."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from homeport.eventlog.catalogue.base import Event


class ApprovalRequested(Event):
    """A tool call waits for a person; `digest` binds tool, input, directory and network."""

    kind: ClassVar[str] = "approval.requested"
    approval_id: str
    run_id: str
    turn: int
    call_id: str
    tool: str
    input: dict[str, Any]
    summary: str
    digest: str
    network: str | None = None
    expires_at: str


class ApprovalApproved(Event):
    """The first answer, and it was yes."""

    kind: ClassVar[str] = "approval.approved"
    approval_id: str
    run_id: str
    call_id: str
    scope: Literal["once", "run", "always"]
    note: str | None = None


class ApprovalDenied(Event):
    """The first answer, and it was no; the note reaches the model."""

    kind: ClassVar[str] = "approval.denied"
    approval_id: str
    run_id: str
    call_id: str
    note: str | None = None


class ApprovalExpired(Event):
    """Nobody answered in time, or the run ended before."""

    kind: ClassVar[str] = "approval.expired"
    approval_id: str
    run_id: str
    call_id: str
    reason: Literal["timeout", "run_ended"]
