"""Turns the events of a Messages API stream into ours, one block at a time.

An address (block, offset) needs strictly sequential blocks. Should the provider interleave two, the
later one is held back until the earlier one is over: tool input cannot be cut in two.
"""

from __future__ import annotations

from typing import Any, cast

from homeport.providers.anthropic.failures import failure_of_event
from homeport.providers.blocks import to_stored
from homeport.providers.port import (
    BlockDelta,
    BlockStarted,
    Completed,
    ProviderEvent,
    Usage,
    UsageSeen,
)
from homeport.providers.text import TextFilter

USAGE_MEMBERS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}
TEXT_MEMBER = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}


class _Block:
    """One block of the answer; `waiting` is its text as long as another one is in hand."""

    __slots__ = ("filter", "number", "over", "started", "text", "waiting")

    def __init__(self, started: dict[str, Any]) -> None:
        self.started = started
        self.filter = TextFilter()
        self.text: list[str] = []
        self.waiting: list[str] = []
        self.number = -1
        self.over = False


class Assembler:
    """The state of one stream.

    `started` tells whether a part of the answer has arrived; `completed` is set by its end.
    """

    def __init__(self) -> None:
        self.started = False
        self.completed: Completed | None = None
        self._open: _Block | None = None
        self._by_index: dict[int, _Block] = {}
        self._order: list[_Block] = []
        self._numbered = 0
        self._usage = Usage()
        self._stop: dict[str, Any] = {}

    def handle(self, event: dict[str, Any]) -> list[ProviderEvent]:
        """What `event` makes visible, in order; nothing for kinds that are not known.

        Raises:
            ProviderError: It is an `error` event.
            KeyError, TypeError: It lacks what its kind must have.
        """
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(event["index"], event["delta"])
        if kind == "content_block_start":
            return self._block_start(event["index"], event["content_block"])
        if kind == "content_block_stop":
            self._by_index[event["index"]].over = True
            return self._advance()
        if kind == "message_start":
            self.started = True
            return self._see_usage(event["message"].get("usage"))
        if kind == "message_delta":
            self._stop.update(event["delta"])
            return self._see_usage(event.get("usage"))
        if kind == "message_stop":
            return self._complete()
        if kind == "error":
            raise failure_of_event(event, started=self.started)
        return []

    def is_whole(self) -> bool:
        """Whether the answer has ended although its last event did not come."""
        return self._stop.get("stop_reason") is not None and all(
            block.over for block in self._order
        )

    def finish(self) -> list[ProviderEvent]:
        """The end of an answer that `is_whole`."""
        return self._complete()

    def _block_start(self, index: int, content: dict[str, Any]) -> list[ProviderEvent]:
        block = _Block(content)
        self._by_index[index] = block
        self._order.append(block)
        member = {"text": "text", "thinking": "thinking"}.get(content.get("type", ""))
        events = self._advance()
        if member is not None and content.get(member):
            events += self._add(block, content[member])
        return events

    def _delta(self, index: int, delta: dict[str, Any]) -> list[ProviderEvent]:
        block = self._by_index[index]
        kind = delta["type"]
        member = TEXT_MEMBER.get(kind)
        if member is not None:
            return self._add(block, delta[member])
        if kind == "signature_delta":
            # A new dict: the one in hand belongs to the event.
            block.started = {**block.started, "signature": delta["signature"]}
        elif kind == "citations_delta":
            cited = cast("list[Any]", block.started.get("citations") or [])
            block.started = {**block.started, "citations": [*cited, delta["citation"]]}
        return []

    def _add(self, block: _Block, text: str) -> list[ProviderEvent]:
        if block is not self._open:
            block.waiting.append(text)
            return []
        if not (text := block.filter.feed(text)):
            return []
        block.text.append(text)
        return [BlockDelta(block.number, text)]

    def _advance(self) -> list[ProviderEvent]:
        """Closes the block in hand if it is over, and opens what waited behind it."""
        events: list[ProviderEvent] = []
        while self._open is None or self._open.over:
            if self._open is not None:
                events += self._close(self._open)
            if self._numbered == len(self._order):
                break
            events += self._begin(self._order[self._numbered])
        return events

    def _begin(self, block: _Block) -> list[ProviderEvent]:
        block.number = self._numbered
        self._numbered += 1
        self._open = block
        started = block.started
        begun = BlockStarted(block.number, started["type"], started.get("id"), started.get("name"))
        waiting, block.waiting = block.waiting, []
        return [begun, *(event for text in waiting for event in self._add(block, text))]

    def _close(self, block: _Block) -> list[ProviderEvent]:
        self._open = None
        if not (rest := block.filter.finish()):
            return []
        block.text.append(rest)
        return [BlockDelta(block.number, rest)]

    def _see_usage(self, usage: dict[str, Any] | None) -> list[ProviderEvent]:
        if not usage:
            return []
        values = {
            ours: usage[theirs] if usage.get(theirs) is not None else getattr(self._usage, ours)
            for ours, theirs in USAGE_MEMBERS.items()
        }
        self._usage = Usage(**values)
        return [UsageSeen(self._usage)]

    def _complete(self) -> list[ProviderEvent]:
        for block in self._order:
            block.over = True
        events = self._advance()
        self.completed = Completed(
            stop_reason=self._stop.get("stop_reason"),
            stop_sequence=self._stop.get("stop_sequence"),
            usage=self._usage,
            blocks=[to_stored(block.started, "".join(block.text)) for block in self._order],
            stop_details=self._stop.get("stop_details"),
        )
        return [*events, self.completed]
