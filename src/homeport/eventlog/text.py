"""The text of one streamed message: blocks in order, addressed in code points."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

DELTA_CHARACTERS = 8_192
"""Code points in one delta at most: 32 KiB of UTF-8 even if each takes four bytes."""

DELTA_TYPES = {"text": "text", "thinking": "thinking", "tool_use": "tool_input"}


@dataclass(slots=True)
class Block:
    """One block as far as it is known.

    Attributes:
        type: `text`, `thinking`, `redacted_thinking`, `tool_use`, ...
        length: Code points so far.
    """

    type: str
    id: str | None = None
    name: str | None = None
    length: int = 0
    _pieces: list[str] = field(default_factory=list[str])
    _starts: list[int] = field(default_factory=list[int])

    def add(self, text: str) -> None:
        """Appends `text`."""
        if text:
            self._pieces.append(text)
            self._starts.append(self.length)
            self.length += len(text)

    @property
    def text(self) -> str:
        """All of it, so far."""
        return "".join(self._pieces)

    def since(self, offset: int, limit: int = DELTA_CHARACTERS) -> str:
        """At most `limit` code points from `offset` on; empty when there are none yet.

        A reader that keeps up asks for the last piece and gets it without a copy.
        """
        if offset >= self.length:
            return ""
        index = bisect_right(self._starts, offset) - 1
        start = offset - self._starts[index]
        found = self._pieces[index][start : start + limit]
        if index + 1 == len(self._pieces) or len(found) == limit:
            return found
        pieces, length = [found], len(found)
        while length < limit and (index := index + 1) < len(self._pieces):
            pieces.append(self._pieces[index])
            length += len(self._pieces[index])
        return "".join(pieces)[:limit]

    @property
    def delta_type(self) -> str:
        """What a delta of this block calls itself: `text`, `thinking` or `tool_input`."""
        return DELTA_TYPES.get(self.type, "text")

    def stored(self) -> dict[str, Any]:
        """The block in stored form, without what only a completed message knows."""
        stored: dict[str, Any] = {"type": self.type, "text": self.text}
        if self.id is not None:
            stored["id"] = self.id
        if self.name is not None:
            stored["name"] = self.name
        return stored


def blocks_of(stored: list[dict[str, Any]]) -> list[Block]:
    """Blocks in stored form (`type`, `text`, `id`, `name`, ...) as `Block`s."""
    blocks: list[Block] = []
    for each in stored:
        block = Block(each["type"], each.get("id"), each.get("name"))
        if each.get("text"):
            block.add(each["text"])
        blocks.append(block)
    return blocks
