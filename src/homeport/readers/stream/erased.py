"""What a reader is told whose cursor points into what was erased."""

from __future__ import annotations

from homeport.eventlog import Cursor, read
from homeport.eventlog.cursor import LARGEST, CursorErased
from homeport.eventlog.read import Standing
from homeport.kernel.db import ReadSession


async def refuse_erased(session: ReadSession, stream: str, at: Cursor, found: Standing) -> None:
    """Passes a place that is in no message, or in one whose text is there.

    Who stands between two events goes on: events that were erased say so, and `payload.erased`
    comes behind them. In the middle of a text nothing goes on.

    Raises:
        CursorErased: The text was erased.
    """
    if at.block < 0 or found.opened is None:
        return
    close = await read.close_after(session, stream, found.opened)
    if close is not None and close.erased:
        raise await cursor_erased(session, stream)


async def cursor_erased(session: ReadSession, stream: str) -> CursorErased:
    """The refusal, with what is left and where to read on: as without any cursor."""
    now = await read.standing(session, stream, LARGEST)
    cursor = "0" if now is None else str(now.head if now.opened is None else now.opened - 1)
    return CursorErased(
        "Forget what was shown, read the snapshot, and go on from `cursor`.",
        cursor=cursor,
        snapshot=f"/v1/sessions/{stream.partition(':')[2]}/messages",
    )
