"""What the model says in the scripted run: every kind of block, cut by chance, and tools between."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from support.stories import ALPHABET
from support.upstream import Reply, text, thinking, tool_use

PROMPT = "Say what there is \U0001f600"
LONG = 40_000
"""Characters of the one block that is longer than a delta may be."""


def replies(chance: random.Random, *, interval_s: float = 0.0, size: int = 400) -> list[Reply]:
    """Three turns: thinking and two tools, empty blocks and a tool, a long text.

    Args:
        interval_s: Between two pieces.
        size: Pieces of a block, about.
    """
    first = [
        *thinking(*_pieces(chance, size), signature="s1", index=0),
        *text(*_pieces(chance, size), index=1),
        *_call("Glob", {"pattern": "**/*"}, chance, index=2),
        *_call("Write", {"file_path": "a.txt", "content": "a\u00e9\U0001f600\n"}, chance, index=3),
    ]
    second = [
        *text(index=0),
        *text("".join(_pieces(chance, LONG // 4)), index=1),
        *_call("Read", {"file_path": "a.txt"}, chance, index=2),
    ]
    third = [*text(*_pieces(chance, size), index=0), *text(*_pieces(chance, 5), index=1)]
    reasons = ("tool_use", "tool_use", "end_turn")
    return [
        Reply(events, stop_reason=reason, interval_s=interval_s)
        for events, reason in zip((first, second, third), reasons, strict=True)
    ]


def _pieces(chance: random.Random, count: int) -> list[str]:
    return ["".join(chance.choices(ALPHABET, k=chance.randint(1, 7))) for _ in range(count)]


def _call(name: str, members: dict[str, str], chance: random.Random, *, index: int) -> list[bytes]:
    raw = json.dumps(members, ensure_ascii=False)
    return tool_use(name, *_cut(raw, chance), id=f"toolu_{index}_{chance.random()}", index=index)


def _cut(raw: str, chance: random.Random) -> Sequence[str]:
    cuts = sorted(chance.sample(range(1, len(raw)), 4))
    return [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
