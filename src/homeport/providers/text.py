"""Makes a model's text addressable: every code point that leaves here can be stored and counted.

JSON escapes can carry what Unicode text cannot: halves of a surrogate pair, also cut between two
deltas, and U+0000, which PostgreSQL does not store.
"""

from __future__ import annotations

from typing import Any, cast

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
HIGH_FIRST, HIGH_LAST = "\ud800", "\udbff"


class TextFilter:
    """Cleans one block's text, delta by delta; keeps a high surrogate until its pair comes."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """What of `text`, and of what was held back before, can be sent now."""
        if self._held:
            text, self._held = self._held + text, ""
        if text.isascii():
            return text.replace("\0", REPLACEMENT) if "\0" in text else text
        if HIGH_FIRST <= text[-1] <= HIGH_LAST:
            text, self._held = text[:-1], text[-1]
        return clean(text)

    def finish(self) -> str:
        """What is left at the block's end: a high surrogate whose pair never came."""
        rest, self._held = self._held, ""
        return REPLACEMENT if rest else ""


def clean(text: str) -> str:
    """`text` with pairs joined, and lone surrogates and U+0000 replaced by U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean_json(value: Any) -> Any:
    """`value`, a parsed JSON document, with every string in it cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean_json(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {clean(name): clean_json(member) for name, member in members.items()}
    return value
