"""The one reader: from a cursor onwards, history and present alike.

Its place is a `Cursor`. What lies behind it comes from the feed when the feed still has it and from
the database when not; the reader cannot tell the difference, and so neither can its client. Text of
a message is sent up to what is known, then events; a close waits for the rest of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from homeport.eventlog import Cursor, EventLog, Record, read
from homeport.eventlog.cursor import BadCursor, CursorAhead
from homeport.eventlog.errors import StreamNotFound
from homeport.eventlog.feed import Feed
from homeport.eventlog.text import DELTA_CHARACTERS, Block, blocks_of
from homeport.readers.stream.frame import Frame, event_frame, live_frame

BATCH_BYTES = 64 * 1024


class Reader:
    """Reads one stream from a cursor. Opened by `open`, ended by `close`."""

    def __init__(self, log: EventLog, stream: str, feed: Feed, at: Cursor) -> None:
        self._log = log
        self._stream = stream
        self._feed = feed
        self._seq, self._block, self._offset = at.seq, at.block, at.offset
        self._message_id: str | None = None
        self._page: dict[int, Record] = {}

    @classmethod
    async def open(cls, log: EventLog, stream: str, after: str | None) -> Reader:
        """A reader that stands at `after`, or, without it, at the open message or the end.

        Raises:
            BadCursor: `after` is no cursor of this stream.
            CursorAhead: `after` is ahead of the log.
            StreamNotFound: Nothing was ever appended to the stream.
        """
        asked = None if after is None else Cursor.parse(after)
        feed = log.feeds.attach(stream)
        try:
            reader = cls(log, stream, feed, asked or Cursor(0))
            await reader._stand(asked)
        except BaseException:
            log.feeds.detach(feed)
            raise
        return reader

    async def _stand(self, asked: Cursor | None) -> None:
        async with self._log.database.read() as session:
            head = await read.head_of(session, self._stream)
            if head is None:
                raise StreamNotFound
            if asked is not None and asked.seq > head:
                raise CursorAhead(f"The log ends at {head}.")
            opened = await read.opened_at(session, self._stream, asked.seq if asked else head)
        if asked is None:
            self._seq = head if opened is None else opened.seq - 1
        elif opened is not None:
            self._message_id = orjson.loads(opened.payload)["message_id"]
        elif asked.block >= 0:
            raise BadCursor("No message is open at this cursor.")
        self._feed.head = max(self._feed.head, head)
        if self._feed.live is None:
            await self._log.refresh(self._feed)

    def close(self) -> None:
        """Lets go of the feed."""
        self._log.feeds.detach(self._feed)

    @property
    def cursor(self) -> str:
        """Where the reader stands."""
        return str(Cursor(self._seq, self._block, self._offset))

    def heartbeat(self) -> Frame:
        """A frame that says only that the line is alive, and where the reader stands."""
        return live_frame(self.cursor, "stream.heartbeat", {})

    async def take(self) -> list[Frame]:
        """The next frames, at least one; waits while there are none."""
        while True:
            version = self._feed.version
            frames = await self.ready()
            if frames:
                return frames
            await self._feed.wait(version)

    async def ready(self) -> list[Frame]:
        """What is known behind the cursor, about 64 KiB of it at most, without waiting for more."""
        frames: list[Frame] = []
        size = 0
        while size < BATCH_BYTES:
            live = self._feed.live
            if live is not None and live.message_id == self._message_id:
                for frame in self._text(live.blocks):
                    frames.append(frame)
                    size += len(frame.data)
            record = self._page.pop(self._seq + 1, None) or self._feed.record(self._seq + 1)
            if record is None:
                if frames or self._feed.head <= self._seq or not await self._load():
                    break
                continue
            for frame in self._event(record):
                frames.append(frame)
                size += len(frame.data)
        return frames

    async def _load(self) -> bool:
        async with self._log.database.read() as session:
            page = await read.records_after(session, self._stream, self._seq)
        self._page = {each.seq: each for each in page}
        return self._seq + 1 in self._page

    def _event(self, record: Record) -> Iterator[Frame]:
        if record.bounds == "closes" and self._message_id is not None:
            yield from self._rest(self._closing_blocks(record))
            self._message_id, self._block, self._offset = None, -1, 0
        self._seq = record.seq
        if record.bounds == "opens":
            self._message_id = orjson.loads(record.payload)["message_id"]
            self._block, self._offset = -1, 0
        key = (self._seq, self._block, self._offset, "event")
        frame = self._feed.shared.get(key)
        if frame is None:
            frame = event_frame(self.cursor, record)
            self._feed.share(key, frame)
        yield frame

    def _closing_blocks(self, record: Record) -> list[Block]:
        key = (record.seq, "blocks")
        blocks = self._feed.shared.get(key)
        if blocks is None:
            blocks = blocks_of(orjson.loads(record.payload)["blocks"])
            self._feed.share(key, blocks)
        return blocks

    def _rest(self, blocks: Sequence[Block]) -> Iterator[Frame]:
        """The remaining text of a closed message; all of it again when more was shown than kept."""
        shown_more = self._block >= len(blocks) or (
            self._block >= 0 and self._offset > blocks[self._block].length
        )
        if shown_more:
            self._block, self._offset = -1, 0
            yield live_frame(self.cursor, "message.reset", {"message_id": self._message_id})
        yield from self._text(blocks)

    def _text(self, blocks: Sequence[Block]) -> Iterator[Frame]:
        """The text behind the cursor, as far as `blocks` go."""
        while True:
            key = (self._seq, self._block, self._offset, self._message_id)
            frame = self._feed.shared.get(key)
            if frame is None:
                frame = self._piece(blocks)
                if frame is None:
                    return
                self._feed.share(key, frame)
            if frame.kind == "block.started":
                self._block, self._offset = self._block + 1, 0
            else:
                self._offset += len(frame.members["text"])
            yield frame

    def _piece(self, blocks: Sequence[Block]) -> Frame | None:
        if 0 <= self._block < len(blocks):
            block = blocks[self._block]
            piece = block.since(self._offset, DELTA_CHARACTERS)
            if piece:
                after = Cursor(self._seq, self._block, self._offset + len(piece))
                members = {
                    "message_id": self._message_id,
                    "block": self._block,
                    "offset": self._offset,
                    "type": block.delta_type,
                    "text": piece,
                }
                return live_frame(str(after), "message.delta", members)
            if self._offset > block.length:
                return None
        if self._block + 1 < len(blocks):
            block = blocks[self._block + 1]
            members = {
                "message_id": self._message_id,
                "block": self._block + 1,
                "type": block.type,
                "id": block.id,
                "name": block.name,
            }
            return live_frame(str(Cursor(self._seq, self._block + 1)), "block.started", members)
        return None
