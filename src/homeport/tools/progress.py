"""What people see of a call while it is being made: few and short pieces of whatever it writes.

Pieces are events, so they are bounded by construction: a call that runs for ten minutes has at most
some 140 of them, and all of them together hold at most 128 Ki characters.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

PAUSE_S = 0.5
PAUSE_SHARE = 1 / 30
"""Of the time that a call has taken: the longer it runs, the rarer its pieces."""
PIECE_CHARACTERS = 4_096
CALL_CHARACTERS = 128 << 10


@dataclass(frozen=True, slots=True)
class Piece:
    """Some output of a call.

    Attributes:
        offset: Code points of the output before `text`; behind a gap when much came at once.
        last: No more is shown of this call.
    """

    offset: int
    text: str
    last: bool


class Progress:
    """Gathers the output of one call, and gives of it what may be shown."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting = ""
        self._offset = 0
        self._left = CALL_CHARACTERS

    def feed(self, output: bytes) -> None:
        """Takes what the call has just written; of much at once the end is kept."""
        text = self._waiting + self._decoder.decode(output).replace("\0", "\ufffd")
        self._waiting = text[-PIECE_CHARACTERS:]
        self._offset += len(text) - len(self._waiting)

    def take(self) -> Piece | None:
        """What came since the last piece; None when nothing did, or no more is to be shown."""
        text = self._waiting[: self._left]
        if not text:
            return None
        piece = Piece(self._offset, text, last=len(text) == self._left)
        self._left -= len(text)
        self._offset += len(self._waiting)
        self._waiting = ""
        return piece


def pause_s(taken_s: float) -> float:
    """Seconds until the next piece of a call that has taken `taken_s` seconds."""
    return max(PAUSE_S, PAUSE_SHARE * taken_s)
