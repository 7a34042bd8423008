"""What bytes are: text that can be shown, or not."""

from __future__ import annotations

HEAD = 8_000  # how far git looks for a NUL before it calls a file binary


def looks_binary(data: bytes) -> bool:
    """Whether `data` (a file, or its beginning) is no text: a NUL is near the start."""
    return b"\x00" in data[:HEAD]


def as_text(data: bytes) -> str:
    """Bytes as text; what is no UTF-8 becomes U+FFFD."""
    return data.decode("utf-8", "replace")
