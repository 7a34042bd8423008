"""Facts of what the agent remembers of a conversation."""

from __future__ import annotations

from typing import ClassVar

from homeport.eventlog.catalogue.base import Event


class CompactionStarted(Event):
    """The conversation has grown too long for the model, which is asked to summarise it.

    `context_tokens` is about what the next request would have taken.
    """

    kind: ClassVar[str] = "compaction.started"
    run_id: str
    model: str
    context_tokens: int


class ContextCompacted(Event):
    """From here on the agent is told `summary` in the place of all that was said up to `up_to_seq`.

    What the person asked for in this run is still told word by word, and so is what waits behind
    it. The log keeps everything.
    """

    kind: ClassVar[str] = "context.compacted"
    run_id: str
    model: str
    up_to_seq: int
    summary: str
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0


class CompactionFailed(Event):
    """The model gave no summary, and is told everything as before; what it used is paid for."""

    kind: ClassVar[str] = "compaction.failed"
    run_id: str
    model: str
    code: str
    detail: str
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0
