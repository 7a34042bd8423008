"""Exact replacement in a text whose line endings the model does not see."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

CRLF = "\r\n"
MOST = 100_000
"""Passages that are looked for; a text of ten million characters could hold as many."""


@dataclass(frozen=True, slots=True)
class Passages:
    """Where something stands in a text.

    Attributes:
        spans: (start, end) in the text as it is, in order, none overlapping, at most `MOST`.
        lines: The line on which each begins, from 1.
        ambiguous: It could be found at more places, overlapping ones included.
        more: It stands at more places than were looked for.
    """

    spans: list[tuple[int, int]]
    lines: list[int]
    ambiguous: bool
    more: bool


def find(text: str, wanted: str) -> Passages:
    """Every place of `wanted` in `text`; LF of the one fits LF and CRLF of the other."""
    seen, wanted, returns = _comparable(text, wanted.replace(CRLF, "\n"))
    spans: list[tuple[int, int]] = []
    lines: list[int] = []
    start, line, counted = seen.find(wanted), 1, 0
    first = start
    while start >= 0 and len(spans) < MOST:
        end = start + len(wanted)
        spans.append((start + bisect_left(returns, start), end + bisect_left(returns, end)))
        line += seen.count("\n", counted, start)
        counted = start
        lines.append(line)
        start = seen.find(wanted, end)
    ambiguous = first >= 0 and seen.find(wanted, first + 1) >= 0
    return Passages(spans, lines, ambiguous, more=start >= 0)


def replace(text: str, spans: list[tuple[int, int]], new: str) -> str:
    """`text` with `new` at each of `spans`, in the line endings that stand there, or prevail."""
    new = new.replace(CRLF, "\n")
    prevailing = CRLF if text.count(CRLF) * 2 > text.count("\n") else "\n"
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        replaced = text[start:end]
        ending = prevailing
        if "\n" in replaced:
            ending = CRLF if CRLF in replaced else "\n"
        pieces += [text[position:start], new.replace("\n", ending)]
        position = end
    return "".join([*pieces, text[position:]])


def _comparable(text: str, wanted: str) -> tuple[str, str, Sequence[int]]:
    """Both with newlines of one kind, and where in the first a carriage return was left out."""
    returns = text.count(CRLF)
    if not returns:
        return text, wanted, []
    if returns == text.count("\n"):
        return text, wanted.replace("\n", CRLF), []
    parts = text.split(CRLF)
    left_out = array("q")
    position = 0
    for part in parts[:-1]:
        position += len(part)
        left_out.append(position)
        position += 1
    return "\n".join(parts), wanted, left_out
