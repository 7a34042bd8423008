"""Prints hits of a search as grep does: `path:line:text`, `path-line-text` around, `--` between."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from homeport.files.search import Found
from homeport.tools.builtin.paths import one_line

LINE_CHARACTERS = 500


def printed(hits: Iterable[Found]) -> list[str]:
    """The lines to show; neighbours that several hits share come once."""
    text: list[str] = []
    apart = False
    for path, group in groupby(hits, key=lambda hit: hit.path):
        lines, around = _merged(list(group))
        previous = None
        for number in sorted(lines):
            if around and apart and (previous is None or number > previous + 1):
                text.append("--")
            sign, content = lines[number]
            text.append(f"{one_line(path)}{sign}{number}{sign}{_cut(content)}")
            previous, apart = number, True
    return text


def _merged(hits: list[Found]) -> tuple[dict[int, tuple[str, str]], bool]:
    """One file's lines by number, hits before neighbours; and whether there are any neighbours."""
    lines: dict[int, tuple[str, str]] = {}
    for hit in hits:
        for distance, text in enumerate(reversed(hit.before), 1):
            lines[hit.line - distance] = ("-", text)
        for distance, text in enumerate(hit.after, 1):
            lines[hit.line + distance] = ("-", text)
    around = bool(lines)
    lines.update({hit.line: (":", hit.text) for hit in hits})
    return lines, around


def _cut(text: str) -> str:
    if len(text) <= LINE_CHARACTERS:
        return text
    return f"{text[:LINE_CHARACTERS]} [... line cut here]"
