"""Uses of tools."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from homeport.sessions.models import ToolCallRow
from homeport.sessions.schemas.base import Body, Timestamp


class ToolReport(Body):
    """A tool that ran elsewhere, reported for the history."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        None, description="The reporter's own id of the call"
    )
    tool_name: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    tool_type: Literal["mcp", "native", "custom"]
    input_params: dict[str, Any]
    output: dict[str, Any] | None = None
    status: Literal["pending", "running", "completed", "failed"] = "pending"
    error_message: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    execution_time_ms: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    created_at: AwareDatetime | None = Field(None, description="Taken, not kept: ours counts")
    completed_at: AwareDatetime | None = Field(None, description="Taken, not kept: ours counts")


class ToolExecution(BaseModel):
    """One use of a tool."""

    id: str
    call_id: str
    run_id: str | None
    tool_name: str
    tool_type: Literal["mcp", "native", "custom"]
    input_params: dict[str, Any] = Field(description="Above 32 KiB: truncated, size, href")
    output: dict[str, Any] | None = Field(description="Above 32 KiB: truncated, size, href")
    status: Literal["pending", "running", "completed", "failed"]
    error_message: str | None
    execution_time_ms: int | None
    created_at: Timestamp
    completed_at: Timestamp | None

    @classmethod
    def of(
        cls,
        row: ToolCallRow,
        *,
        input_params: dict[str, Any],
        output: dict[str, Any] | None,
        error_message: str | None,
    ) -> ToolExecution:
        """The view of a call, with what the log holds of it."""
        return cls(
            id=row.id,
            call_id=row.call_id,
            run_id=row.run_id,
            tool_name=row.tool,
            tool_type=row.tool_type,  # pyright: ignore[reportArgumentType] - checked by pydantic
            input_params=input_params,
            output=output,
            status=row.status,  # pyright: ignore[reportArgumentType]
            error_message=error_message,
            execution_time_ms=row.duration_ms,
            created_at=row.created_at,
            completed_at=row.completed_at,
        )
