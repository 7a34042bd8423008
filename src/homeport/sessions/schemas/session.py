"""Conversations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from homeport.kernel.http.pagination import PageFields
from homeport.kernel.http.twins import Twinned
from homeport.sessions.repository import Seen, Sums
from homeport.sessions.schemas.base import Body, Timestamp

LARGEST_METADATA = 16 * 1024


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(metadata)) > LARGEST_METADATA:
        raise ValueError(f"metadata takes {LARGEST_METADATA:,} bytes at most")
    return metadata


Metadata = Annotated[dict[str, Any], AfterValidator(_small)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
SystemPrompt = Annotated[str, StringConstraints(max_length=100_000)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=120)]
ProjectId = Annotated[str, StringConstraints(min_length=1, max_length=36)]
Mode = Literal["default", "accept_edits", "plan", "bypass"]
Status = Literal["active", "idle", "streaming", "archived", "error"]


class NewSession(Body):
    """A new conversation; everything has a default."""

    project_id: ProjectId | None = Field(None, description="Default: your personal project")
    name: Name | None = None
    title: Name | None = Field(None, description="Another word for name")
    model: ModelName | None = Field(None, description="Default: the server's")
    system_prompt: SystemPrompt | None = None
    permission_mode: Mode | None = Field(
        None, description="Default: accept_edits in a git workspace, else default (ask)"
    )
    metadata: Metadata | None = None


class ForkBody(Body):
    """Where a conversation is forked, and what the new one is called."""

    at: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        None, description="A cursor of the session; default: as it is now"
    )
    name: Name | None = Field(None, description="Default: the session's")


class SessionChange(Body):
    """What is to change; members that are left out stay."""

    name: Name | None = None
    title: Name | None = Field(None, description="Another word for name")
    model: ModelName | None = None
    system_prompt: SystemPrompt | None = Field(None, description="null takes it away")
    permission_mode: Mode | None = None
    metadata: Metadata | None = None
    status: Status | None = Field(None, description="archived puts it away; active takes it back")
    is_active: bool | None = Field(None, description="false archives, true takes back")


class SessionView(Twinned):
    """A conversation."""

    id: str
    user_id: str
    project_id: str
    name: str
    title: str
    model: str
    system_prompt: str | None
    status: Status
    is_active: bool
    metadata: dict[str, Any]
    permission_mode: str
    cursor: str = Field(description="Reading the stream behind it shows what happens from now on")
    message_count: int
    total_tokens: int
    total_cost: float = Field(description="USD")
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, seen: Seen) -> SessionView:
        """The view of a session."""
        row = seen.row
        return cls(
            id=row.id,
            user_id=row.user_id,
            project_id=row.project_id,
            name=row.name,
            title=row.name,
            model=row.model,
            system_prompt=row.system_prompt,
            status=seen.status,  # pyright: ignore[reportArgumentType] - checked by pydantic
            is_active=row.state == "open",
            metadata=row.metadata_,
            permission_mode=row.permission_mode,
            cursor=str(seen.head),
            message_count=row.ordinal,
            total_tokens=row.input_tokens
            + row.output_tokens
            + row.cache_read_tokens
            + row.cache_write_tokens,
            total_cost=row.cost_usd,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


class SessionPage(PageFields):
    """Conversations, the newest first."""

    sessions: list[SessionView]


class SessionSums(Twinned):
    """All of one's conversations together."""

    total_sessions: int
    active_sessions: int
    total_messages: int
    total_tokens: int
    total_cost: float = Field(description="USD")

    @classmethod
    def of(cls, sums: Sums) -> SessionSums:
        """The view of sums."""
        return cls(
            total_sessions=sums.sessions,
            active_sessions=sums.active,
            total_messages=sums.messages,
            total_tokens=sums.tokens,
            total_cost=sums.cost_usd,
        )


class ClearBody(Body):
    """What is to be left."""

    erase: bool = Field(
        False, description="Also erase it from the log, for good; without it the log keeps all"
    )


class StopBody(Body):
    """How much to stop."""

    queue: bool = Field(False, description="Also the runs that wait behind the current one")


class Stopped(BaseModel):
    """What was stopped. A running one ends on its node within two seconds."""

    message: str
    session_id: str
    status: Literal["stopped", "idle"]
    run_ids: list[str]


class Acknowledged(BaseModel):
    """It is done."""

    message: str
    session_id: str


class Archived(Acknowledged):
    """It is put away."""

    status: Literal["archived"] = "archived"
