"""Facts of messages. The text of an open one is addressed by cursors and is no event."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from homeport.eventlog.catalogue.base import Event


class MessageSubmitted(Event):
    """A person said something. `blocks` are in stored form: `{type, text, ...}`."""

    kind: ClassVar[str] = "message.submitted"
    message_id: str
    run_id: str
    blocks: list[dict[str, Any]]
    client_message_id: str | None = None


class MessageStarted(Event):
    """The model begins to answer; its text follows as addressed deltas until the close."""

    kind: ClassVar[str] = "message.started"
    bounds: ClassVar[Literal["opens", "closes"] | None] = "opens"
    message_id: str
    run_id: str
    turn: int
    model: str


class MessageCompleted(Event):
    """The whole message as it was received.

    `blocks` are in stored form: `{type, text, ...}` with `id` and `name` for tool calls,
    `signature` for thinking, `data` for redacted thinking. On the wire each has `length` (code
    points) and `sha256` (of its UTF-8) instead of `text`, which the reader has been sent.
    """

    kind: ClassVar[str] = "message.completed"
    bounds: ClassVar[Literal["opens", "closes"] | None] = "closes"
    message_id: str
    run_id: str
    turn: int
    blocks: list[dict[str, Any]]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0


class MessageInterrupted(Event):
    """The message ended before it was whole; `blocks` is what was kept of it."""

    kind: ClassVar[str] = "message.interrupted"
    bounds: ClassVar[Literal["opens", "closes"] | None] = "closes"
    message_id: str
    run_id: str
    turn: int
    blocks: list[dict[str, Any]]
    reason: Literal["crashed", "stopped", "provider", "length", "draining"]
    detail: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0
