"""What a language model is to the rest of the house: a request in, a stream of small events out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a request. The four do not overlap: their sum is what was processed."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )

    @property
    def prompt_tokens(self) -> int:
        """Everything that was read, from the cache or not."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens


@dataclass(frozen=True, slots=True)
class Pricing:
    """USD per million tokens.

    Attributes:
        long_prompt: What a request costs whose prompt has more than `long_prompt_over` tokens.
    """

    input: float = 0.0
    output: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0
    long_prompt: Pricing | None = None
    long_prompt_over: int = 0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model is, can do and costs.

    Attributes:
        context_window: Tokens of prompt and answer together.
        max_output_tokens: Tokens of one answer.
        supports_sampling: Whether `temperature` and `top_p` are accepted.
        supports_tool_choice: Whether it can be held to a tool: so, too, to an answer in JSON.
        created: When it was released.
        known: False for a model that the catalogue only guesses at.
    """

    id: str
    display_name: str
    description: str
    context_window: int
    max_output_tokens: int
    pricing: Pricing
    created: datetime
    owned_by: str = "anthropic"
    supports_streaming: bool = True
    supports_tools: bool = True
    supports_vision: bool = True
    supports_thinking: bool = True
    supports_sampling: bool = True
    supports_tool_choice: bool = True
    known: bool = True


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a model. Content blocks are Anthropic's, and are passed on verbatim.

    Attributes:
        messages: `{"role", "content": [blocks]}`, oldest first.
        max_tokens: None for the model's own maximum.
        user_id: An opaque hash of who asks, for the provider's abuse detection.
    """

    model: str
    messages: Sequence[dict[str, Any]]
    system: Sequence[dict[str, Any]] | str = ()
    tools: Sequence[dict[str, Any]] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: Sequence[str] = ()
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class BlockStarted:
    """A block begins, and the one before it is over. `block` counts from 0."""

    block: int
    type: str
    id: str | None = None
    name: str | None = None


@dataclass(slots=True)
class BlockDelta:
    """More text of the block in hand; of a tool call, the next piece of its raw JSON input.

    Free of lone surrogates and U+0000, never empty, never cut inside a surrogate pair.
    """

    block: int
    text: str


@dataclass(frozen=True, slots=True)
class UsageSeen:
    """What the request has used so far: cumulative."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Completed:
    """The last event of a stream that came to its end.

    Attributes:
        stop_reason: `end_turn`, `max_tokens`, `tool_use`, `stop_sequence`, `pause_turn`, `refusal`,
            `model_context_window_exceeded`, or what a newer model says.
        blocks: The answer in stored form: `type`, `text` (everything that was streamed; of a tool
            call the raw JSON) and, verbatim, what the provider sent beside it (`id`, `name`,
            `signature`, `data`, `citations`, ...). `to_wire` turns one back.
        stop_details: What the provider says about a refusal.
    """

    stop_reason: str | None
    stop_sequence: str | None
    usage: Usage
    blocks: list[dict[str, Any]]
    stop_details: dict[str, Any] | None = None


ProviderEvent = BlockStarted | BlockDelta | UsageSeen | Completed


class Provider(Protocol):
    """A source of models."""

    @property
    def name(self) -> str:
        """`anthropic`, `demo`."""
        ...

    def models(self) -> Sequence[ModelInfo]:
        """The models that it lists, the newest first."""
        ...

    def find(self, model_id: str) -> ModelInfo | None:
        """The model of that name if it is served here, listed or not."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Calls the model. `aclose()` cancels the call.

        Raises:
            ProviderError: The call failed; `started` tells whether something had been streamed.
        """
        ...

    async def warm(self) -> None:
        """Loads what is slow to load, away from the event loop; else the first call does."""
        ...

    async def close(self) -> None:
        """Ends every connection."""
        ...
