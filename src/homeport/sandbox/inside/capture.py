"""Keeps the head and the tail of a stream of any length in bounded memory."""

from __future__ import annotations


class HeadTail:
    """At most `cap` bytes of what is fed: the first half, and the last."""

    __slots__ = ("_cap", "_head", "_tail", "size")

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._head = bytearray()
        self._tail = bytearray()
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.size += len(chunk)
        room = self._cap // 2 - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        if not chunk:
            return
        keep = self._cap - self._cap // 2
        self._tail += chunk[-keep:] if keep else b""
        if len(self._tail) > 2 * keep:
            del self._tail[:-keep]

    @property
    def truncated(self) -> bool:
        """Whether something has been left out."""
        return self.size > self._cap

    def content(self) -> bytes:
        """The head and the tail."""
        keep = self._cap - self._cap // 2
        return bytes(self._head + self._tail[-keep:]) if keep else bytes(self._head)
