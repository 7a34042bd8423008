"""Short ways to ask a provider, and to read what came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from homeport.providers import (
    BlockDelta,
    BlockStarted,
    Completed,
    ModelRequest,
    ProviderEvent,
)


def ask(text: str = "hi", *, model: str = "claude-opus-5-5", **members: Any) -> ModelRequest:
    """A request with one user message."""
    messages = [{"role": "user", "content": [{"type": "text", "text": text}]}]
    return ModelRequest(model=model, messages=messages, **members)


async def collect(stream: AsyncIterator[ProviderEvent]) -> list[ProviderEvent]:
    """Every event of a stream that comes to its end."""
    return [event async for event in stream]


def completed(events: list[ProviderEvent]) -> Completed:
    """The last event, which has to be the completion."""
    last = events[-1]
    assert isinstance(last, Completed)
    return last


def streamed(events: list[ProviderEvent]) -> list[tuple[str, str]]:
    """Type and streamed text of each block; checks that blocks are numbered and sequential."""
    blocks: list[tuple[str, str]] = []
    for event in events:
        if isinstance(event, BlockStarted):
            assert event.block == len(blocks)
            blocks.append((event.type, ""))
        elif isinstance(event, BlockDelta):
            assert event.block == len(blocks) - 1
            assert event.text
            event.text.encode()
            assert "\0" not in event.text
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + event.text)
    return blocks
