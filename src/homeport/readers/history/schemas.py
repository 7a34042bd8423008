"""What the pages of history look like."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from homeport.kernel.http.pagination import PageFields
from homeport.kernel.http.twins import Twinned
from homeport.sessions.schemas import Timestamp, ToolExecution


class MessageView(BaseModel):
    """One message."""

    id: str
    session_id: str
    run_id: str
    role: Literal["user", "assistant"]
    content: str = Field(description="The text of all its text blocks")
    blocks: list[dict[str, Any]] = Field(description="Content blocks of the Messages API")
    status: Literal["open", "completed", "interrupted", "erased"]
    seq: int | None = Field(description="The event that holds it; null while it is being written")
    token_count: int
    message_metadata: dict[str, Any]
    created_at: Timestamp


class MessagePage(PageFields):
    """Messages, the oldest first. A page of much text may hold fewer than `limit`."""

    messages: list[MessageView]
    session_id: str


class ToolMetrics(BaseModel):
    """How the chosen uses went."""

    total: int
    success_rate: float = Field(description="Of those that ended, 0 to 1; 0 when none has")
    average_execution_time_ms: float


class ToolPage(PageFields):
    """Uses of tools, the newest first."""

    executions: list[ToolExecution]
    session_id: str
    metrics: ToolMetrics


class UsageView(BaseModel):
    """What models have read and written; the four do not overlap."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    total_cost: float = Field(description="USD")


class RunView(BaseModel):
    """One run of the agent."""

    id: str
    session_id: str
    run_no: int
    status: Literal["queued", "running", "waiting", "finished"]
    stopping: bool
    outcome: Literal["completed", "failed", "stopped", "interrupted", "budget_exceeded"] | None = (
        Field(description="`budget_exceeded`: it has reached a limit, which `reason` names")
    )
    reason: str | None = Field(description="Why it ended so")
    detail: str | None
    turns: int
    usage: UsageView
    created_at: Timestamp
    finished_at: Timestamp | None


class RunPage(PageFields):
    """Runs, the newest first."""

    runs: list[RunView]
    session_id: str


class SessionStats(Twinned):
    """One conversation in figures."""

    session_id: str
    created_at: Timestamp
    updated_at: Timestamp
    status: str
    duration_seconds: float
    message_count: int
    token_usage: dict[str, int]
    model: str
    active_tools: list[str] = Field(description="Names of the tools that were used")
    tool_invocations: int
    error_count: int = Field(description="Failed runs and failed tools")
    average_response_time: float = Field(description="Seconds from a message to its run's end")
    memory_usage: dict[str, int] = Field(description="Bytes that its log takes")
    metadata: dict[str, Any]
    cost_estimate: float = Field(description="USD")
