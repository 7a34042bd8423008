"""Writes open messages down while they stream: one commit for all of them every ~50 ms.

A delta is shown at once and stored a moment later; no timer stands before a send. What a crash
takes is the last moment's preview, and readers say so by `message.reset`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from homeport.eventlog.errors import MessageFenced
from homeport.eventlog.feed import Feed, Feeds, LiveMessage
from homeport.eventlog.text import Block
from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError

FLUSH_S = 0.05
RETRY_S = 0.5
_logger = structlog.get_logger(__name__)

# One statement for all streams; a message that was closed or taken over is not found. A commit
# whose answer was lost is made again with the same rows, and finds them there.
INSERT = {
    "sqlite": """
INSERT INTO message_segments (stream_id, ordinal, body)
SELECT o.stream_id, json_extract(r.value, '$.ordinal'),
  CAST(json_extract(r.value, '$.body') AS BLOB)
FROM json_each(:rows) r
JOIN streams s ON s.name = json_extract(r.value, '$.stream')
JOIN open_messages o ON o.stream_id = s.id
  AND o.message_id = json_extract(r.value, '$.message_id')
  AND o.epoch = json_extract(r.value, '$.epoch')
WHERE true ON CONFLICT (stream_id, ordinal) DO NOTHING
""",
    "postgresql": """
INSERT INTO message_segments (stream_id, ordinal, body)
SELECT o.stream_id, r.ordinal, convert_to(r.body, 'UTF8')
FROM json_to_recordset(CAST(:rows AS json))
  AS r (stream text, ordinal bigint, body text, message_id text, epoch bigint)
JOIN streams s ON s.name = r.stream
JOIN open_messages o ON o.stream_id = s.id AND o.message_id = r.message_id AND o.epoch = r.epoch
ORDER BY o.stream_id FOR SHARE OF o ON CONFLICT (stream_id, ordinal) DO NOTHING
""",
}


class MessageWriter:
    """The writing end of one open message.

    Args:
        may_show: False once the writer's lease is in doubt: then nothing more is shown or stored.
    """

    __slots__ = (
        "_feed",
        "_flushed",
        "_flusher",
        "_may_show",
        "_sent",
        "message",
        "stream",
    )

    def __init__(
        self,
        feed: Feed,
        message: LiveMessage,
        flusher: Flusher,
        may_show: Callable[[], bool],
    ) -> None:
        self.stream = feed.stream
        self.message = message
        self._flushed = (-1, 0)  # block and offset that the store has
        self._sent: tuple[tuple[int, int], bytes] | None = None  # what it was asked to take
        self._feed = feed
        self._flusher = flusher
        self._may_show = may_show

    def block_started(self, kind: str, *, id: str | None = None, name: str | None = None) -> None:  # noqa: A002
        """Begins the next block.

        Raises:
            MessageFenced: The lease is in doubt, or the message was closed by somebody else.
        """
        self._check()
        self.message.blocks.append(Block(kind, id, name))
        self._changed(1)

    def delta(self, piece: str) -> None:
        """Adds text to the last block and shows it at once.

        Raises:
            MessageFenced: The lease is in doubt, or the message was closed by somebody else.
            UnicodeEncodeError: `piece` holds half a character. It would fail in the commit that
                this message shares with all the others.
        """
        self._check()
        if not piece.isascii():
            piece.encode()
        self.message.blocks[-1].add(piece)
        self._changed(len(piece))

    def stored(self) -> list[dict[str, Any]]:
        """The blocks so far, in stored form."""
        return [block.stored() for block in self.message.blocks]

    def close(self) -> None:
        """Takes the message out of the flusher: its closing event carries the text from here on."""
        self._flusher.forget(self)

    def discard(self) -> None:
        """Lets go of the message without a closing event: whoever takes over will close it."""
        self._flusher.forget(self)
        if self._feed.live is self.message:
            self._feed.live = None
            self._feed.touch()
        self._flusher.feeds.tidy(self._feed)

    def _check(self) -> None:
        if self._feed.live is not self.message or not self._may_show():
            raise MessageFenced

    def _changed(self, size: int) -> None:
        self._flusher.dirty.add(self)
        self._flusher.wake.set()
        self._feed.volume += size
        self._feed.touch()

    def row(self) -> dict[str, Any]:
        """The next segment; the same one until `took` says that the store has it."""
        message = self.message
        if self._sent is None:
            self._sent = (self._end(), orjson.dumps(self._unflushed()))
        return {
            "stream": self.stream,
            "ordinal": message.segments,
            "body": self._sent[1].decode(),
            "message_id": message.message_id,
            "epoch": message.epoch,
        }

    def took(self) -> bool:
        """Notes that the store has the last `row`; False when there is more by now."""
        if self._sent is not None:
            self._flushed, self._sent = self._sent[0], None
            self.message.segments += 1
        return self._flushed == self._end()

    def _end(self) -> tuple[int, int]:
        blocks = self.message.blocks
        return len(blocks) - 1, blocks[-1].length

    def _unflushed(self) -> list[list[Any]]:
        pieces: list[list[Any]] = []
        last, stored = self._flushed
        for index in range(max(last, 0), len(self.message.blocks)):
            block = self.message.blocks[index]
            offset = stored if index == last else 0
            if index > last:
                pieces.append([index, block.type, block.id, block.name])
            if block.length > offset:
                pieces.append([index, offset, block.since(offset, block.length)])
        return pieces


class Flusher:
    """The one writer of segments.

    Args:
        stored: Told the streams of every flush, once it is committed.
    """

    def __init__(
        self, database: Database, feeds: Feeds, *, stored: Callable[[Iterable[str]], None]
    ) -> None:
        self.feeds = feeds
        self._stored = stored
        self.dirty: set[MessageWriter] = set()
        self.wake = asyncio.Event()
        self._database = database

    def forget(self, writer: MessageWriter) -> None:
        """No further segment for this message."""
        self.dirty.discard(writer)

    async def run(self) -> None:
        """Flushes for ever; a failing store is waited for, and nothing is dropped meanwhile."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            await asyncio.sleep(FLUSH_S)
            try:
                await self.flush()
            except (HomeportError, SQLAlchemyError, OSError) as error:
                waiting = len(self.dirty)
                _logger.warning("segments.flush-failed", messages=waiting, error=repr(error))
                await asyncio.sleep(RETRY_S)
                self.wake.set()

    async def flush(self) -> None:
        """Commits what all open messages have gained since the last time.

        Raises:
            Unavailable: The store does not take it now; the text is kept and tried again.
        """
        batch = list(self.dirty)
        if not batch:
            return
        rows = orjson.dumps([writer.row() for writer in batch]).decode()
        await self._database.write_statement(INSERT[self._database.dialect], {"rows": rows})
        for writer in batch:
            if writer.took():
                self.dirty.discard(writer)
            elif writer in self.dirty:
                self.wake.set()
        self._stored(writer.stream for writer in batch)
