"""Server-sent events: a reader's frames as one HTTP response without an end.

Pure ASGI, because every layer that touches a chunk is paid for per delta and subscriber. LF only:
one known client breaks on CRLF. No database session is held while the line waits.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Protocol, cast

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from homeport.eventlog import EventLog
from homeport.identity.access import Caller
from homeport.kernel.errors import HomeportError
from homeport.kernel.http.middleware.exchange import answer_at_edge
from homeport.readers.stream.frame import Frame, live_frame
from homeport.readers.stream.pulse import End, Line, Pulse
from homeport.readers.stream.reader import Check, Reader

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


_EVENTS = EventWire()


class EventStream(Response):
    """The frames of `stream` behind `after`, for as long as both sides wish.

    A line that is dropped in the middle of a send is closed without the end of the body: its client
    sees a broken transfer, and resumes from the last frame that it got whole.

    Args:
        after: A cursor; None for the open message or the end of the log.
        check: Asked before anything is read; what it raises is answered.
        wire: How the frames are written; without it our own event stream, of which one user has
            so many.
        headers: More response headers.

    Raises:
        BadCursor, CursorAhead, CursorErased, StreamNotFound, TooManyStreams, Unavailable: Before
            the first byte.
    """

    def __init__(
        self,
        log: EventLog,
        pulse: Pulse,
        caller: Caller,
        *,
        stream: str,
        after: str | None,
        check: Check | None = None,
        wire: Wire | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        extra = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
        self.raw_headers = [*_HEADERS, *extra] if extra else _HEADERS
        self._wire = wire or _EVENTS
        self._log = log
        self._pulse = pulse
        self._caller = caller
        self._stream = stream
        self._after = after
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, at the edge: a stream lasts, and what routed it need not."""
        await answer_at_edge(scope, receive, send, self._answer)

    async def _answer(self, receive: Receive, send: Send) -> None:
        counted = self._wire is _EVENTS  # a chat's answer belongs to a run, which was let in
        with self._pulse.seat(self._caller) if counted else nullcontext():
            reader = await Reader.open(self._log, self._stream, self._after, check=self._check)
            try:
                with self._pulse.line(reader, self._caller) as line:
                    await self._follow(line, receive, send)
            finally:
                reader.close()
        if line.end in {End.BEHIND, End.REVOKED}:
            _logger.info("stream.ended", stream=self._stream, why=line.end, at=reader.cursor)

    async def _follow(self, line: Line, receive: Receive, send: Send) -> None:
        """Listens while a task of its own sends: what wakes per delta has no layers below it."""
        here = cast("asyncio.Task[None]", asyncio.current_task())
        sender = line.sender = asyncio.create_task(self._send(line, send), name="stream.send")
        listening = True

        def stop(_sender: asyncio.Task[None]) -> None:
            if listening:  # a stream's own end lets `receive` return, too, before this is called
                here.cancel()

        sender.add_done_callback(stop)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if not sender.done() or here.uncancel():
                sender.cancel()
                raise  # somebody else wants the whole request to end
        else:
            listening = False
            line.finish(End.GONE)
            await asyncio.wait({sender})
        if not sender.cancelled():
            sender.result()

    async def _send(self, line: Line, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await _pump(line, self._wire, send)
        last = self._wire.farewell(line)
        await send({"type": "http.response.body", "body": last, "more_body": False})


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
        while True:
            if line.end is not None or reader.over:
                return
            if frames := reader.at_hand():
                break
            if reader.behind and (frames := await _late(line)):
                break
            if line.due:
                frames = (reader.heartbeat(),)
                break
            # Where the line ended while the database was asked, nobody waited who could be woken.
            if line.end is None and (news := reader.news()) is not None:
                await news
        body = wire.encode(frames)


async def _late(line: Line) -> Sequence[Frame]:
    """What is in the database only; the line ends when that does not answer."""
    try:
        return await line.reader.ready()
    except HomeportError as error:
        # The answer has begun; the client comes back with its cursor and is told then.
        _logger.warning("stream.cut", code=error.code, at=line.reader.cursor)
        line.finish(End.CUT)
        return ()
