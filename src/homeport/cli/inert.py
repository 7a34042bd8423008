"""Text of other people's on a terminal: it is shown, and does nothing there."""

from __future__ import annotations


def inert(text: str) -> str:
    """`text` on one line, with every control, escape and direction character spelled out."""
    return "".join(each if each.isprintable() else _spelled(each) for each in text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode()
