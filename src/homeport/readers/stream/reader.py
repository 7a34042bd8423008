"""The one reader: from a cursor onwards, history and present alike.

Its place is a `Cursor`. What lies behind it comes from the feed when the feed still has it and from
the database when not; the reader cannot tell the difference, and so neither can its client. Text of
a message is sent up to what is known, then events; a close waits for the rest of the text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import orjson

from homeport.eventlog import Cursor, EventLog, Record, read
from homeport.eventlog.cursor import LARGEST, BadCursor, CursorAhead
from homeport.eventlog.errors import StreamNotFound
from homeport.eventlog.feed import Feed, Shared
from homeport.eventlog.text import Block, blocks_of
from homeport.kernel.db import ReadSession
from homeport.readers.stream.erased import refuse_erased
from homeport.readers.stream.frame import Frame, event_frame, live_frame
from homeport.readers.stream.pieces import next_piece

BATCH_BYTES = 64 * 1024
MOST_STEPS = 64
"""Places at which one look is kept for others, between two changes of a feed."""
LAST_KIND = "session.deleted"
_NOTHING: Sequence[Frame] = ()

Check = Callable[[ReadSession], Awaitable[object]]
"""Says whether a stream may be read at all, in the snapshot in which it is opened."""

_Place = tuple[int, int, int, str | None]
_Step = tuple[Sequence[Frame], _Place, tuple[bool, bool, bool]]


class Reader:
    """Reads one stream from a cursor. Opened by `open`, ended by `close`.

    Attributes:
        over: The stream's last event was read; nothing follows it.
        behind: What comes next is in the database.
    """

    __slots__ = (
        "_block",
        "_drained",
        "_feed",
        "_log",
        "_message_id",
        "_offset",
        "_page",
        "_seen",
        "_seq",
        "_stream",
        "_waiting",
        "behind",
        "over",
    )

    def __init__(
        self, log: EventLog, feed: Feed, at: Cursor, *, message_id: str | None = None
    ) -> None:
        self.over: bool = False
        self.behind: bool = False
        self._log = log
        self._stream = feed.stream
        self._feed = feed
        self._seq: int = at.seq
        self._block: int = at.block
        self._offset: int = at.offset
        self._message_id: str | None = message_id  # the one that is open at the cursor
        self._page: dict[int, Record] = {}
        self._seen = -1  # the feed's version at the last look
        self._drained: bool = False  # nothing was left behind at that look
        self._waiting: asyncio.Future[None] | None = None

    @classmethod
    async def open(
        cls, log: EventLog, stream: str, after: str | None, *, check: Check | None = None
    ) -> Reader:
        """A reader that stands at `after`, or, without it, at the open message or the end.

        Args:
            check: Asked first; what it raises goes to the caller.

        Raises:
            BadCursor: `after` is no cursor of this stream.
            CursorAhead: `after` is ahead of the log.
            CursorErased: What `after` points to was erased.
            StreamNotFound: Nothing was ever appended to the stream.
            Unavailable: The database is busy or does not answer.
        """
        feed = log.feeds.attach(stream)
        try:
            reader = cls(log, feed, Cursor(0))
            await reader._stand(after, check)
        except BaseException:
            log.feeds.detach(feed)
            raise
        return reader

    async def _stand(self, after: str | None, check: Check | None) -> None:
        async with self._log.database.read() as session:
            if check is not None:
                await check(session)
            asked = None if after is None else Cursor.parse(after)
            seq = LARGEST if asked is None else asked.seq
            found = await read.standing(session, self._stream, seq)
            if asked is not None and found is not None:
                await refuse_erased(session, self._stream, asked, found)
        if found is None:
            raise StreamNotFound
        if asked is None:
            self._seq = found.head if found.opened is None else found.opened - 1
        elif asked.seq > found.head:
            raise CursorAhead(f"The log ends at {found.head}.")
        elif asked.block >= 0 and found.opened is None:
            raise BadCursor("No message is open at this cursor.")
        else:
            self._seq, self._block, self._offset = asked.seq, asked.block, asked.offset
            self._message_id = found.message_id
        if found.writing and self._feed.live is None:
            await self._log.refresh(self._feed)
        # Last: a feed that knows the head is not looked at again for the message that is open.
        self._feed.heard(found.head)

    def close(self) -> None:
        """Lets go of the feed."""
        self._page.clear()
        if self._waiting is not None:
            self._feed.leave(self._waiting)
        self._log.feeds.detach(self._feed)

    @property
    def cursor(self) -> str:
        """Where the reader stands."""
        return str(Cursor(self._seq, self._block, self._offset))

    @property
    def volume(self) -> int:
        """How far the stream has moved on, in characters and bytes, since some moment."""
        return self._feed.volume

    def heartbeat(self) -> Frame:
        """A frame that says only that the line is alive, and where the reader stands."""
        return live_frame(self.cursor, "stream.heartbeat", {})

    async def take(self) -> Sequence[Frame]:
        """The next frames, at least one; waits while there are none."""
        while not (frames := await self.ready()):
            await self.wait()
        return frames

    async def wait(self) -> None:
        """Returns when something came since `ready` looked, or when somebody calls `wake`."""
        news = self.news()
        if news is None:
            return
        try:
            await news
        except asyncio.CancelledError:
            self._feed.leave(news)
            raise

    def news(self) -> asyncio.Future[None] | None:
        """What `wait` awaits; None when something came already. `close` ends it, too."""
        if self._feed.version != self._seen:
            return None
        self._waiting = self._feed.news()
        return self._waiting

    def wake(self) -> None:
        """Ends a `wait`; without one, does nothing."""
        waiting = self._waiting
        if waiting is not None and not waiting.done():
            self._feed.leave(waiting)
            waiting.set_result(None)

    async def ready(self) -> Sequence[Frame]:
        """What is known behind the cursor, about 64 KiB of it at most, without waiting for more.

        Raises:
            Unavailable: It must come from the database, which does not answer.
        """
        frames = self.at_hand()
        while self.behind and not frames and await self._fetch():
            frames = self.at_hand()
        return frames

    def at_hand(self) -> Sequence[Frame]:
        """The part of `ready` that needs no database; `behind` says whether that has more.

        What lies behind a place is the same for everybody who stands there: the first to look
        tells the others, until the feed moves on.
        """
        feed = self._feed
        if feed.version == self._seen and self._drained:
            return _NOTHING
        if self._page or feed.subscribers < 2:
            return self._looked()
        place = (self._seq, self._block, self._offset)
        step: _Step | None = feed.steps.get(place)
        if step is None:
            frames = self._looked()
            if not self._page and len(feed.steps) < MOST_STEPS:
                now = (self._seq, self._block, self._offset, self._message_id)
                feed.steps[place] = (frames, now, (self._drained, self.behind, self.over))
            return frames
        frames, place, flags = step
        self._seq, self._block, self._offset, self._message_id = place
        self._drained, self.behind, self.over = flags
        self._seen = feed.version
        return frames

    def _looked(self) -> Sequence[Frame]:
        feed = self._feed
        frames: list[Frame] = []
        self._seen, self._drained, self.behind, budget = feed.version, False, False, BATCH_BYTES
        while True:
            live = feed.live
            if live is not None and live.message_id == self._message_id:
                budget = self._text(live.blocks, live.shared, None, frames, budget)
            if budget <= 0:
                break
            record = self._page.pop(self._seq + 1, None) or feed.record(self._seq + 1)
            if record is None:
                self._drained = feed.head <= self._seq
                self.behind = not self._drained
                break
            budget = self._event(record, frames, budget)
        return frames

    async def _fetch(self) -> bool:
        async with self._log.database.read() as session:
            page = await read.records_after(session, self._stream, self._seq)
        self._page = {each.seq: each for each in page}
        self.behind = bool(page)
        return self.behind

    def _event(self, record: Record, frames: list[Frame], budget: int) -> int:
        if record.bounds == "closes" and self._message_id is not None and not record.erased:
            budget = self._rest(record, frames, budget)
            if budget <= 0:
                self._page[record.seq] = record  # its text comes first, in the next batches
                return budget
        self._seq = record.seq
        if record.bounds is not None:
            # Of a message that was erased nobody is told the id, and its close has no text.
            opened = record.bounds == "opens" and not record.erased
            self._message_id = orjson.loads(record.payload)["message_id"] if opened else None
            self._block, self._offset = -1, 0
        self.over = record.kind == LAST_KIND
        key = (self._seq, self._block, self._offset)
        frame = self._feed.shared.get(key)
        if frame is None:
            frame = event_frame(self.cursor, record)
            self._feed.shared.put(key, frame, frame.size)
        frames.append(frame)
        return budget - frame.size

    def _rest(self, record: Record, frames: list[Frame], budget: int) -> int:
        """The remaining text of a closed message; all of it again when more was shown than kept."""
        shared = self._feed.shared
        blocks = shared.get(record.seq)
        if blocks is None:
            blocks = blocks_of(orjson.loads(record.payload)["blocks"])
            shared.put(record.seq, blocks, len(record.payload))
        shown_more = self._block >= len(blocks) or (
            self._block >= 0 and self._offset > blocks[self._block].length
        )
        if shown_more:
            self._block, self._offset = -1, 0
            reset = live_frame(self.cursor, "message.reset", {"message_id": self._message_id})
            frames.append(reset)
            budget -= reset.size
        return self._text(blocks, shared, record.seq, frames, budget)

    def _text(
        self,
        blocks: Sequence[Block],
        shared: Shared,
        closed: int | None,
        frames: list[Frame],
        budget: int,
    ) -> int:
        """Adds the text behind the cursor, as far as `blocks` and the budget go; returns the rest.

        Args:
            closed: The event that closed the message, None while it is open.
        """
        last = len(blocks) - 1
        end = blocks[last].length if blocks else 0
        while budget > 0 and (self._block < last or (self._block == last and self._offset < end)):
            place = (self._seq, self._block, self._offset)
            key = (*place, closed)
            frame = shared.get(key)
            if frame is None:
                frame = next_piece(blocks, Cursor(*place), self._message_id)
                if frame is None:
                    break
                if self._feed.subscribers > 1:
                    shared.put(key, frame, frame.size)
            if frame.length:
                self._offset += frame.length
            else:
                self._block, self._offset = self._block + 1, 0
            frames.append(frame)
            budget -= frame.size
        return budget
