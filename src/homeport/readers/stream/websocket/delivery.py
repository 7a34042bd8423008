"""Brings one session's frames to a client, until the line, its stream or the client is over."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import structlog
from starlette.websockets import WebSocketDisconnect

from homeport.identity.errors import CredentialRefused
from homeport.kernel.errors import HomeportError
from homeport.readers.stream.frame import Frame, live_frame
from homeport.readers.stream.pulse import End, Line
from homeport.readers.stream.sse import RETRY_MS
from homeport.readers.stream.websocket.sockets import LAST_WORD_S
from homeport.readers.stream.websocket.wire import Close

Write = Callable[[Frame], Awaitable[None]]
Closing = tuple[Close, str]

_CLOSES: Mapping[End, Closing] = {
    End.REVOKED: (Close.POLICY, CredentialRefused.code),
    End.BEHIND: (Close.TRY_AGAIN, "stream.behind"),
    End.DRAINING: (Close.GOING_AWAY, "server.draining"),
}
_DELETED: Closing = (Close.NORMAL, "session.deleted")

_logger = structlog.get_logger(__name__)


async def deliver(line: Line, write: Write) -> None:
    """Writes what lies behind the line's cursor, then what comes; last, where it stands and why.

    A line that is stuck in `write` is ended by cancelling the task that this runs in.

    Raises:
        HomeportError: The frames cannot be read on; the client has been told.
        WebSocketDisconnect: The client is gone.
    """
    failure: HomeportError | None = None
    frames: Sequence[Frame] = (line.reader.heartbeat(),)
    try:
        while frames:
            line.sending = line.reader.volume
            for frame in frames:
                await write(frame)
            line.sending, line.quiet = None, 0
            frames = await _next(line)
    except HomeportError as error:
        _logger.warning("stream.cut", code=error.code, at=line.reader.cursor)
        failure = error
    last = _last_word(line, failure)
    if last is not None:
        with suppress(TimeoutError):  # one that does not listen is not waited for
            async with asyncio.timeout(LAST_WORD_S):
                await write(last)
    if failure is not None:
        raise failure


def closing(end: End | None, failure: BaseException | None = None) -> Closing | None:
    """The code and the reason that a socket is closed with; None when its client is gone.

    Args:
        end: Why it ended; None when its stream did.
        failure: What `deliver` raised.

    Raises:
        BaseException: `failure`, when it is a mistake of ours.
    """
    if isinstance(failure, HomeportError):
        return Close.TRY_AGAIN, failure.code
    if isinstance(failure, WebSocketDisconnect):
        return None
    if failure is not None:
        raise failure
    return _DELETED if end is None else _CLOSES.get(end)


async def _next(line: Line) -> Sequence[Frame]:
    """The next frames; none when the line or its stream is over."""
    reader = line.reader
    while line.end is None and not reader.over:
        frames = reader.at_hand() or (await reader.ready() if reader.behind else ())
        if frames:
            return frames
        if line.due:
            return (reader.heartbeat(),)
        if line.end is None:  # or it ended in `ready`, where nobody waits who could be woken
            await reader.wait()
    return ()


def _last_word(line: Line, failure: HomeportError | None) -> Frame | None:
    cursor = line.reader.cursor
    if failure is not None:
        members = {"code": failure.code, "detail": failure.detail}
        return live_frame(cursor, "stream.ended", members)
    if line.end is End.DRAINING:
        retry_ms = random.randint(*RETRY_MS)  # noqa: S311 - spreads the load, keeps no secret
        return live_frame(cursor, "server.draining", {"retry_ms": retry_ms})
    if line.end is End.REVOKED:
        members = {"code": CredentialRefused.code, "detail": CredentialRefused.title}
        return live_frame(cursor, "stream.ended", members)
    return None
