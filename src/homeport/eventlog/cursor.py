"""Where a reader stands: `<seq>` or `<seq>.<block>.<offset>`, opaque to clients.

Everything up to event `seq`, plus `offset` code points of block `block` of the one message that is
open at `seq`. A bare `<seq>` means none of that message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from homeport.kernel.errors import Conflict, Gone, Invalid

LARGEST = 2**53 - 1
_PATTERN = re.compile(r"(0|[1-9][0-9]{0,15})(?:\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,15}))?")


class BadCursor(Invalid):
    """The text is no cursor of ours, or none of this stream."""

    code = "stream.bad-cursor"
    title = "This is not a cursor"


class CursorAhead(Conflict):
    """The cursor is ahead of the log: it comes from another database, or from a restored one."""

    code = "stream.cursor-ahead"
    title = "The cursor is ahead of the log"


class CursorErased(Gone):
    """The cursor points into a text that was erased; the document says where to begin again.

    Members: `cursor`, from which reading goes on, and `snapshot`, where what is left stands.
    """

    code = "stream.cursor-erased"
    title = "What stood at this cursor was erased"


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in one stream.

    Attributes:
        seq: Last event sent; 0 before the first.
        block: Block of the open message that was last begun, -1 when none of it was sent.
        offset: Code points of that block that were sent.
    """

    seq: int
    block: int = -1
    offset: int = 0

    def __str__(self) -> str:
        if self.block < 0:
            return str(self.seq)
        return f"{self.seq}.{self.block}.{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Reads what `str` wrote.

        Raises:
            BadCursor: Anything else.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise BadCursor("A cursor is echoed as it was received; this one was not ours.")
        seq, block, offset = match.groups()
        if int(seq) > LARGEST or (offset and int(offset) > LARGEST):
            raise BadCursor("This cursor is beyond any log.")
        if block is None:
            return cls(int(seq))
        return cls(int(seq), int(block), int(offset))
