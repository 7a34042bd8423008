"""The request as OpenAI's SDKs send it. Members that we do not know are ignored, and said so."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from homeport.kernel.clock import rfc3339
from homeport.kernel.http.twins import Twinned
from homeport.sessions.models import SessionRow

Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]

# Understood as far as they can be without changing the answer's meaning.
TAKEN_AND_IGNORED = frozenset(
    {"presence_penalty", "frequency_penalty", "logit_bias", "seed", "logprobs", "top_logprobs"}
)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="allow")


class ChatMessage(_Lenient):
    """One message: OpenAI's roles, content as text or as parts."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class StreamOptions(_Lenient):
    """What a stream carries beside the answer."""

    include_usage: bool = False


class ChatCompletionRequest(_Lenient):
    """`POST /v1/chat/completions`. With `session_id` or `project_id` the agent answers.

    Unknown members are ignored and listed in the response header `X-Homeport-Ignored`.
    """

    model: str | None = None
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    n: int | None = None
    stop: str | list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    user: str | None = None
    session_id: str | None = None
    project_id: str | None = None
    system_prompt: str | None = None

    @property
    def for_agent(self) -> bool:
        """Whether the agent is to answer, in a session."""
        return self.session_id is not None or self.project_id is not None

    @property
    def system_text(self) -> str | None:
        """What the system messages say, for a session that is made by this request."""
        texts = [
            message.content
            for message in self.messages
            if message.role in {"system", "developer"} and isinstance(message.content, str)
        ]
        return "\n\n".join(texts) or None

    @property
    def ignored(self) -> list[str]:
        """Members that have no effect here."""
        extra = set(self.model_extra or {})
        given = {name for name in TAKEN_AND_IGNORED if name in extra and self._matters(name)}
        return sorted((extra - TAKEN_AND_IGNORED) | given)

    def _matters(self, name: str) -> bool:
        return bool((self.model_extra or {}).get(name))


class ChatStatus(Twinned):
    """How a session stands, as the legacy clients ask for it."""

    session_id: str
    project_id: str
    model: str
    is_running: bool
    created_at: Timestamp
    updated_at: Timestamp
    total_tokens: int
    total_cost: float
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


class Stopped(BaseModel):
    """Which runs were told to end."""

    session_id: str
    stopped: list[str]
