"""What travels: the request as OpenAI's SDKs send it, and the answers that are ours."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PlainSerializer

from homeport.kernel.clock import rfc3339
from homeport.kernel.http.twins import Twinned
from homeport.sessions.models import SessionRow
from homeport.sessions.schemas.session import ModelName, ProjectId, SystemPrompt

ModelState = Literal["ready", "queued", "running", "waiting"]
Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="allow")


class ChatMessage(_Lenient):
    """One message: OpenAI's roles, content as text or as parts."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class StreamOptions(_Lenient):
    """What a stream carries beside the answer."""

    include_usage: bool = False


class ChatCompletionRequest(_Lenient):
    """`POST /v1/chat/completions`. With `session_id` or `project_id` the agent answers.

    Members without an effect are ignored and listed in the response header `X-Homeport-Ignored`.
    """

    model: ModelName | None = Field(
        None, description="Default: the server's. A session that exists keeps its own"
    )
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2, description="Above 1 it counts as 1")
    top_p: float | None = Field(None, ge=0, le=1)
    n: int | None = None
    stop: str | list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    user: str | None = None
    session_id: str | None = Field(
        None, description="The agent answers in it; an unknown UUID of your own makes it"
    )
    project_id: ProjectId | None = Field(
        None, description="The agent answers in a new session of it"
    )
    system_prompt: SystemPrompt | None = Field(
        None, description="Before the system messages; in a session, of one that is made"
    )

    @property
    def for_agent(self) -> bool:
        """Whether the agent is to answer, in a session."""
        return self.session_id is not None or self.project_id is not None

    @property
    def include_usage(self) -> bool:
        """Whether the last chunk of a stream tells the usage."""
        return self.stream_options is not None and self.stream_options.include_usage


class DebugRequest(ChatCompletionRequest):
    """A completion to be explained and not made, or the legacy clients' short form of one."""

    messages: list[ChatMessage] = Field(default_factory=list[ChatMessage])
    session_id: str | None = Field(None, validation_alias=AliasChoices("session_id", "sessionId"))
    project_id: ProjectId | None = Field(
        None, validation_alias=AliasChoices("project_id", "projectId")
    )
    prompt: str | None = Field(
        None,
        validation_alias=AliasChoices("prompt", "input"),
        description="Short for one user message",
    )
    include_context: bool = Field(
        True,
        validation_alias=AliasChoices("include_context", "includeContext"),
        description="Whether `context` tells the text",
    )


class ToldMessage(BaseModel):
    """A message as the model would get it, without its content."""

    role: Literal["user", "assistant"]
    blocks: list[str] = Field(description="The types of its content blocks")
    characters: int


class Understanding(Twinned):
    """How a completion would be understood. Nothing was asked of a model, nothing was kept."""

    mode: Literal["stateless", "agent"]
    session_id: str | None = None
    project_id: str | None = None
    model: str
    model_state: ModelState = Field(
        "ready", description="Whether a call would be taken now, or what the session is at instead"
    )
    tokens: int = Field(description="Of the prompt, estimated from its characters")
    context: str = Field(description="What the model would be told, its end when that is long")
    messages: list[ToldMessage]
    tools: list[str] = Field([], description="Of the request: the agent has its own")
    tool_choice: str | None = None
    max_tokens: int | None = Field(None, description="null: the model's own maximum")
    temperature: float | None = None
    top_p: float | None = None
    stop: list[str] = []
    response_format: str = "text"
    ignored: list[str]


class ChatStatus(Twinned):
    """How a session stands, as the legacy clients ask for it."""

    session_id: str
    project_id: str
    model: str
    is_running: bool
    created_at: Timestamp
    updated_at: Timestamp
    total_tokens: int
    total_cost: float = Field(description="USD")
    message_count: int

    @classmethod
    def of(cls, row: SessionRow, *, is_running: bool) -> Self:
        """The view of a row."""
        return cls(
            session_id=row.id,
            project_id=row.project_id,
            model=row.model,
            is_running=is_running,
            created_at=row.created_at,
            updated_at=row.updated_at,
            total_tokens=row.input_tokens
            + row.output_tokens
            + row.cache_read_tokens
            + row.cache_write_tokens,
            total_cost=row.cost_usd,
            message_count=row.ordinal,
        )


class ChatStopped(BaseModel):
    """Which runs were told to end."""

    session_id: str
    stopped: list[str]
