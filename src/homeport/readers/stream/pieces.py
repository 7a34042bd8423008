"""Cuts the text behind a cursor into frames."""

from __future__ import annotations

from collections.abc import Sequence

from homeport.eventlog.cursor import Cursor
from homeport.eventlog.text import DELTA_CHARACTERS, Block
from homeport.readers.stream.frame import Frame, delta_frame, live_frame


def next_piece(blocks: Sequence[Block], at: Cursor, message_id: str | None) -> Frame | None:
    """The next frame of an open message's text; None when nothing lies behind `at`, or before it.

    Args:
        blocks: The message, as far as it is known.
    """
    if 0 <= at.block < len(blocks):
        block = blocks[at.block]
        piece = block.since(at.offset, DELTA_CHARACTERS)
        if piece:
            return delta_frame(
                str(Cursor(at.seq, at.block, at.offset + len(piece))),
                {
                    "message_id": message_id,
                    "block": at.block,
                    "offset": at.offset,
                    "type": block.delta_type,
                    "text": piece,
                },
            )
        if at.offset > block.length:
            return None
    if at.block + 1 < len(blocks):
        return _begun(blocks[at.block + 1], Cursor(at.seq, at.block + 1), message_id)
    return None


def _begun(block: Block, at: Cursor, message_id: str | None) -> Frame:
    return live_frame(
        str(at),
        "block.started",
        {
            "message_id": message_id,
            "block": at.block,
            "type": block.type,
            "id": block.id,
            "name": block.name,
        },
    )
