"""Server-sent events: a reader's frames as one HTTP response without an end.

Pure ASGI, because every layer that touches a chunk is paid for per delta and subscriber. LF only:
one known client breaks on CRLF. No database session is held while the line waits.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Protocol

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


class Wire(Protocol):
    """How a stream's frames are written."""

    @property
    def over(self) -> bool:
        """Whether everything that this wire wanted has been sent."""
        ...

    def opening(self, reader: Reader) -> bytes:
        """What is sent at once."""
        ...

    def encode(self, frames: Sequence[Frame]) -> bytes:
        """The bytes of `frames`; none when the wire has no word for them."""
        ...

    def farewell(self, line: Line) -> bytes:
        """What is sent last, when the line ends in order."""
        ...


class EventWire:
    """Our own: each frame as it is, a heart-beat first, which states the cursor."""

    over = False

    def opening(self, reader: Reader) -> bytes:
        """The cursor, at once."""
        return reader.heartbeat().sse

    def encode(self, frames: Sequence[Frame]) -> bytes:
        """The frames, one after the other."""
        return frames[0].sse if len(frames) == 1 else b"".join([frame.sse for frame in frames])

    def farewell(self, line: Line) -> bytes:
        """When the server is about to go: that it is, and when to come back."""
        if line.end is not End.DRAINING:
            return b""
        retry_ms = random.randint(*RETRY_MS)  # noqa: S311 - spreads the load, keeps no secret
        frame = live_frame(line.reader.cursor, "server.draining", {"retry_ms": retry_ms})
        return b"retry: %d\n%b" % (retry_ms, frame.sse)


class EventStream(Response):
    """The frames of `stream` behind `after`, for as long as both sides wish.

    A line that is dropped in the middle of a send is closed without the end of the body: its client
    sees a broken transfer, and resumes from the last frame that it got whole.

    Args:
        after: A cursor; None for the open message or the end of the log.
        wire: How the frames are written; our own event stream unless told otherwise.
        headers: More response headers.

    Raises:
        BadCursor, CursorAhead, StreamNotFound, Unavailable: Before the first byte, when called.
    """

    def __init__(
        self,
        log: EventLog,
        pulse: Pulse,
        caller: Caller,
        *,
        stream: str,
        after: str | None,
        wire: Wire | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        extra = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
        self.raw_headers = [*_HEADERS, *extra]
        self._wire = wire or EventWire()
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
                # A task of its own: what resumes per delta does not stand below every layer.
                line.sender = asyncio.create_task(self._serve(line, send), name="stream.send")
                listener = asyncio.create_task(_listen(receive, line), name="stream.listen")
                try:
                    await line.sender
                except asyncio.CancelledError:
                    if line.end is None or not line.sender.cancelled() or _cancelling():
                        raise
                finally:
                    listener.cancel()
        finally:
            reader.close()
        if line.end in {End.BEHIND, End.REVOKED}:
            _logger.info("stream.ended", stream=self._stream, why=line.end, at=reader.cursor)

    async def _serve(self, line: Line, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        await _pump(line, self._wire, send)
        last = self._wire.farewell(line)
        await send({"type": "http.response.body", "body": last, "more_body": False})


def _cancelling() -> bool:
    """Whether somebody wants the whole request to end, not only its sender."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _pump(line: Line, wire: Wire, send: Send) -> None:
    """Sends what comes, until the line, its stream or what the wire wanted of it is over."""
    reader = line.reader
    body = wire.opening(reader)
    while True:
        if body:
            line.sending = reader.volume
            await send({"type": "http.response.body", "body": body, "more_body": True})
            line.sending = None
        line.quiet = 0  # also where the wire has no word for a heart-beat: the next is 15 s away
        if wire.over:
            return
        frames: Sequence[Frame] | None = ()
        while not frames:
            if line.end is not None or reader.over:
                return
            frames = reader.at_hand() or (await _late(reader) if reader.behind else ())
            if frames is None:
                return
            if not frames:
                if line.due:
                    frames = (reader.heartbeat(),)
                else:
                    await reader.wait()
        body = wire.encode(frames)


async def _late(reader: Reader) -> Sequence[Frame] | None:
    """What is in the database only; None when it does not answer."""
    try:
        return await reader.ready()
    except HomeportError as error:
        # The answer has begun; the client comes back with its cursor and is told then.
        _logger.warning("stream.cut", code=error.code, at=reader.cursor)
        return None


async def _listen(receive: Receive, line: Line) -> None:
    """Waits for the client to go away: nothing else tells a line that has nothing to send."""
    while (await receive())["type"] != "http.disconnect":
        pass
    line.finish(End.GONE)
