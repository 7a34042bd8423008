"""Server-sent events: a reader's frames as one HTTP response without an end.

Pure ASGI, because every layer that touches a chunk is paid for per delta and subscriber. LF only:
one known client breaks on CRLF. No database session is held while the line waits.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from homeport.eventlog import EventLog
from homeport.identity.access import Caller
from homeport.kernel.errors import HomeportError
from homeport.readers.stream.frame import Frame, live_frame
from homeport.readers.stream.pulse import End, Line, Pulse
from homeport.readers.stream.reader import Reader

RETRY_MS = (500, 3_000)
"""Between these every client picks its moment to come back after a restart."""

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
_logger = structlog.get_logger(__name__)


class EventStream(Response):
    """The frames of `stream` behind `after`, for as long as both sides wish.

    A line that is dropped in the middle of a send is closed without the end of the body: its client
    sees a broken transfer, and resumes from the last frame that it got whole.

    Args:
        after: A cursor; None for the open message or the end of the log.

    Raises:
        BadCursor, CursorAhead, StreamNotFound, Unavailable: Before the first byte, when called.
    """

    def __init__(
        self, log: EventLog, pulse: Pulse, caller: Caller, *, stream: str, after: str | None
    ) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        self.raw_headers = list(_HEADERS)
        self._log = log
        self._pulse = pulse
        self._caller = caller
        self._stream = stream
        self._after = after

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        reader = await Reader.open(self._log, self._stream, self._after)
        try:
            with self._pulse.line(reader, self._caller) as line:
                listening = asyncio.create_task(_listen(receive, line), name="stream.listen")
                try:
                    await self._serve(line, send)
                finally:
                    listening.cancel()
        finally:
            reader.close()

    async def _serve(self, line: Line, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        try:
            await _pump(line, send)
            await send({"type": "http.response.body", "body": _farewell(line), "more_body": False})
        except asyncio.CancelledError:
            if not line.torn():
                raise
        if line.end in {End.BEHIND, End.REVOKED}:
            _logger.info("stream.ended", stream=self._stream, why=line.end, at=line.reader.cursor)


async def _pump(line: Line, send: Send) -> None:
    """Sends what comes, until the line or its stream is over."""
    frames: Sequence[Frame] = [line.reader.heartbeat()]
    while frames:
        body = frames[0].sse if len(frames) == 1 else b"".join([frame.sse for frame in frames])
        line.sending = line.reader.volume
        await send({"type": "http.response.body", "body": body, "more_body": True})
        line.sending = None
        line.quiet = 0
        frames = await _next(line)


async def _next(line: Line) -> Sequence[Frame]:
    """The next frames, none when nothing more is to be sent."""
    reader = line.reader
    while line.end is None and not reader.over:
        try:
            frames = await reader.ready()
        except HomeportError as error:
            # The answer has begun; the client comes back with its cursor and is told then.
            _logger.warning("stream.cut", code=error.code, at=reader.cursor)
            return ()
        if frames:
            return frames
        if line.due:
            return (reader.heartbeat(),)
        await reader.wait()
    return ()


def _farewell(line: Line) -> bytes:
    if line.end is not End.DRAINING:
        return b""
    retry_ms = random.randint(*RETRY_MS)  # noqa: S311 - spreads the load, keeps no secret
    frame = live_frame(line.reader.cursor, "server.draining", {"retry_ms": retry_ms})
    return b"retry: %d\n%b" % (retry_ms, frame.sse)


async def _listen(receive: Receive, line: Line) -> None:
    """Waits for the client to go away: nothing else tells a line that has nothing to send."""
    while (await receive())["type"] != "http.disconnect":
        pass
    line.finish(End.GONE)
