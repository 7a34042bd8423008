"""Questions of the agent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, Field, StringConstraints

from homeport.eventlog import Record
from homeport.kernel.http.pagination import PageFields
from homeport.sessions.models import ApprovalRow
from homeport.sessions.schemas.base import Body, Timestamp, bounded


class AnswerBody(Body):
    """The answer to a question of the agent."""

    decision: Literal["approve", "deny"]
    scope: Literal["once", "run", "always"] = Field(
        "once", description="How long an approval counts; always: this exact command, this project"
    )
    note: Annotated[str, StringConstraints(max_length=2_000)] | None = Field(
        None, description="With a denial, the model reads it"
    )


class ApprovalView(BaseModel):
    """A question of the agent, and its answer."""

    id: str
    session_id: str
    project_id: str
    run_id: str
    call_id: str
    tool: str
    input: dict[str, Any] = Field(description="In lists cut above 32 KiB: truncated, size, href")
    summary: str
    network: str | None = Field(description="What a command could reach")
    status: Literal["requested", "approved", "denied", "expired"]
    scope: Literal["once", "run", "always"] | None
    note: str | None
    decided_by: str | None
    decided_at: Timestamp | None
    expires_at: Timestamp
    created_at: Timestamp

    @classmethod
    def of(cls, row: ApprovalRow, record: Record, *, whole: bool) -> ApprovalView:
        """The view of a question and the event that asked it."""
        asked = orjson.loads(record.payload)
        going_in: dict[str, Any] = asked.get("input", {})  # erased since, or there
        href = f"/v1/approvals/{row.id}"
        return cls(
            id=row.id,
            session_id=row.session_id,
            project_id=row.project_id,
            run_id=row.run_id,
            call_id=row.call_id,
            tool=row.tool,
            input=going_in if whole else bounded(going_in, href),
            summary=asked.get("summary", ""),
            network=asked.get("network"),
            status=row.status,  # pyright: ignore[reportArgumentType] - checked by pydantic
            scope=row.scope,  # pyright: ignore[reportArgumentType]
            note=row.note,
            decided_by=row.decided_by,
            decided_at=row.decided_at,
            expires_at=row.expires_at,
            created_at=row.created_at,
        )


class ApprovalPage(PageFields):
    """Questions, the newest first."""

    approvals: list[ApprovalView]
