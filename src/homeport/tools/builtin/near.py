"""Says why a text was not found, as far as that can be seen: what would help to ask better."""

from __future__ import annotations

import re
from difflib import get_close_matches

READ_NUMBERS = re.compile(r"^ *\d+\t", re.MULTILINE)
LOOKED_AT = 2_000
LINE_CHARACTERS = 200
SHOWN_LINES = 12
TELLING = 8
"""Characters that a text must have before finding it somewhere means anything."""


def advice(text: str, wanted: str, new: str) -> str:
    """A sentence or two, with the lines that were probably meant.

    Args:
        text: What the file holds, with plain newlines.
        wanted: What was looked for in vain.
        new: What was to stand there.
    """
    bare = READ_NUMBERS.sub("", wanted)
    if bare != wanted and bare in text:
        return "It was given with the line numbers that Read shows; leave those out."
    lines = text.split("\n")
    looked_for = [line.strip() for line in wanted.strip("\n").split("\n")]
    place = _alike(lines, looked_for)
    if place is not None:
        return "There is a place that differs in white space only; copy it exactly:\n" + _numbered(
            lines, place, len(looked_for)
        )
    if len(new.strip()) >= TELLING and new in text:
        line = text.count("\n", 0, text.index(new)) + 1
        return f"new_string stands in the file already, at line {line}."
    return _closest(lines, looked_for)


def _alike(lines: list[str], looked_for: list[str]) -> int | None:
    """The index from which lines are the wanted ones but for white space at their ends."""
    if not any(looked_for):
        return None
    # As one text: comparing at every line would take the product of both lengths.
    stripped = "\n".join(["", *(line.strip() for line in lines), ""])
    place = stripped.find("\n".join(["", *looked_for, ""]))
    return stripped.count("\n", 0, place) if place >= 0 else None


def _closest(lines: list[str], looked_for: list[str]) -> str:
    first = next((line for line in looked_for if line), "")[:LINE_CHARACTERS]
    places: dict[str, int] = {}
    for number, line in enumerate(lines[:LOOKED_AT]):
        places.setdefault(line.strip()[:LINE_CHARACTERS], number)
    near = get_close_matches(first, places, n=1, cutoff=0.7) if first else []
    if not near:
        return "Nothing like it is there; read the file again."
    return "The nearest place is:\n" + _numbered(lines, places[near[0]], len(looked_for))


def _numbered(lines: list[str], start: int, count: int) -> str:
    end = min(start + count, start + SHOWN_LINES, len(lines))
    return "\n".join(
        f"{number:>6}\t{line[:LINE_CHARACTERS]}"
        for number, line in enumerate(lines[start:end], start + 1)
    )
