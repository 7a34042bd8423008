"""What changed between two texts, as a unified diff of bounded size and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

DIFF_BYTES = 16 << 10
COMPARED_LINES = 2_000
"""A changed stretch that is longer is told as replaced whole: comparing grows with its square."""
SPLIT_CHARACTERS = 4 << 20
"""Of longer ones the lines are counted only: as strings each would take fifty bytes and more."""
CONTEXT = 3
NO_NEWLINE = "\n\\ No newline at end of file"
Step = tuple[bool, int, int, int, int]
"""(same, from and to in the old lines, from and to in the new ones)"""


@dataclass(frozen=True, slots=True)
class Difference:
    """Lines that came and went.

    Attributes:
        first: The first line of the new text that is different, from 1.
        diff: Hunks in unified format without file names, at most 16 KiB.
        truncated: The diff goes on.
    """

    added: int
    removed: int
    first: int
    diff: str
    truncated: bool

    @property
    def counted(self) -> str:
        """`+3 -1`."""
        return f"+{self.added} -{self.removed}"

    def details(self) -> dict[str, Any]:
        """The members for a client."""
        return {
            "lines_added": self.added,
            "lines_removed": self.removed,
            "diff": self.diff,
            "diff_truncated": self.truncated,
        }


def difference(old: str, new: str) -> Difference:
    """Compares two texts line by line."""
    head, tail = _same_ends(old, new)
    above = old.count("\n", 0, head)
    old, new = old[head : len(old) - tail], new[head : len(new) - tail]
    if max(len(old), len(new)) > SPLIT_CHARACTERS:
        return Difference(_count(new), _count(old), above + 1, diff="", truncated=True)
    before, after = _lines(old), _lines(new)
    steps = _steps(before, after)
    changed = [step for step in steps if not step[0]]
    text, truncated = _bounded(
        line for group in _groups(steps) for line in _hunk(before, after, group, above)
    )
    return Difference(
        added=sum(d - c for _, _, _, c, d in changed),
        removed=sum(b - a for _, a, b, _, _ in changed),
        first=above + (changed[0][3] + 1 if changed else 1),
        diff=text,
        truncated=truncated,
    )


def _same_ends(old: str, new: str) -> tuple[int, int]:
    """How much of both is the same at the beginning and at the end, in whole lines.

    A few lines less than that, so that a change has its neighbours.
    """
    head = _same(min(len(old), len(new)), lambda size: new.startswith(old[:size]))
    for _ in range(CONTEXT + 1):
        head = old.rfind("\n", 0, max(head - 1, 0)) + 1
    most = min(len(old), len(new)) - head
    tail = _same(most, lambda size: new.endswith(old[len(old) - size :]))
    cut = len(old) - tail
    for _ in range(CONTEXT + 1):
        cut = old.find("\n", cut) + 1 or len(old)
    return head, len(old) - cut


def _same(most: int, fits: Callable[[int], bool]) -> int:
    """The largest size up to `most` that fits, where all smaller ones do."""
    least, beyond = 0, most + 1
    while beyond - least > 1:
        middle = (least + beyond) // 2
        if fits(middle):
            least = middle
        else:
            beyond = middle
    return least


def _count(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n"))


def _lines(text: str) -> list[str]:
    """The lines; a last one without its newline says so, and so differs from one that has it."""
    lines = text.split("\n")
    if lines[-1]:
        lines[-1] += NO_NEWLINE
    else:
        lines.pop()
    return lines


def _steps(before: list[str], after: list[str]) -> list[Step]:
    """How the one becomes the other; only what lies between the equal ends is compared."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    inner: list[Step] = [(False, 0, len(old), 0, len(new))]
    if max(len(old), len(new)) <= COMPARED_LINES:
        codes = SequenceMatcher(None, old, new).get_opcodes()
        inner = [(tag == "equal", a, b, c, d) for tag, a, b, c, d in codes]
    moved = [(same, a + head, b + head, c + head, d + head) for same, a, b, c, d in inner]
    last = (True, len(before) - tail, len(before), len(after) - tail, len(after))
    steps = [(True, 0, head, 0, head), *moved, last]
    return [step for step in steps if step[1] < step[2] or step[3] < step[4]]


def _common(one: list[str], other: list[str]) -> int:
    """How many leading lines are the same."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _groups(steps: list[Step]) -> Iterator[list[Step]]:
    """The changes with a few same lines around them; far ones apart."""
    group: list[Step] = []
    for same, a, b, c, d in steps:
        if not same:
            group.append((same, a, b, c, d))
            continue
        if group:
            keep = min(b - a, CONTEXT)
            group.append((True, a, a + keep, c, c + keep))
            if b - a <= 2 * CONTEXT:
                group[-1] = (True, a, b, c, d)
                continue
            yield group
        keep = min(b - a, CONTEXT)
        group = [(True, b - keep, b, d - keep, d)]
    if any(not step[0] for step in group):
        same, a, b, c, d = group[-1]
        if same and b - a > CONTEXT:  # taken whole, as what might have joined two changes
            group[-1] = (True, a, a + CONTEXT, c, c + CONTEXT)
        yield group


def _hunk(before: list[str], after: list[str], group: list[Step], above: int) -> Iterator[str]:
    first, last = group[0], group[-1]
    old, new = _range(first[1], last[2], above), _range(first[3], last[4], above)
    yield f"@@ -{old} +{new} @@"
    for same, a, b, c, d in group:
        if same:
            yield from (f" {line}" for line in before[a:b])
        else:
            yield from (f"-{line}" for line in before[a:b])
            yield from (f"+{line}" for line in after[c:d])


def _range(start: int, end: int, above: int) -> str:
    """A range as diff(1) writes it; an empty one names the line before it."""
    length = end - start
    if length == 1:
        return str(above + start + 1)
    return f"{above + (start + 1 if length else start)},{length}"


def _bounded(lines: Iterator[str]) -> tuple[str, bool]:
    kept: list[str] = []
    left = DIFF_BYTES
    for line in lines:
        size = len(line.encode("utf-8", "replace")) + 1
        if size > left:
            return "".join(kept), True
        left -= size
        kept.append(line + "\n")
    return "".join(kept), False
