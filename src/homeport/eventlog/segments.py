"""Writes open messages down while they stream: one commit for all of them every ~50 ms.

A delta is shown at once and stored a moment later; no timer stands before a send. What a crash
takes is the last moment's preview, and readers say so by `message.reset`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import structlog
from sqlalchemy import text

from homeport.eventlog.errors import MessageFenced
from homeport.eventlog.feed import Feed, Feeds, LiveMessage
from homeport.eventlog.text import Block
from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError

FLUSH_S = 0.05
_logger = structlog.get_logger(__name__)

_INSERT = """
INSERT INTO message_segments (stream_id, ordinal, body)
SELECT stream_id, :ordinal, :body FROM open_messages
WHERE stream_id = (SELECT id FROM streams WHERE name = :stream)
  AND message_id = :message_id AND epoch = :epoch
"""


class MessageWriter:
    """The writing end of one open message.

    Args:
        may_show: False once the writer's lease is in doubt: then nothing more is shown or stored.
    """

    __slots__ = (
        "_feed",
        "_flusher",
        "_may_show",
        "flushed_block",
        "flushed_offset",
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
        self.flushed_block = -1
        self.flushed_offset = 0
        self._feed = feed
        self._flusher = flusher
        self._may_show = may_show

    def block_started(self, kind: str, *, id: str | None = None, name: str | None = None) -> None:  # noqa: A002
        """Begins the next block.

        Raises:
            MessageFenced: The lease is in doubt.
        """
        self._check()
        self.message.blocks.append(Block(kind, id, name))
        self._changed()

    def delta(self, piece: str) -> None:
        """Adds text to the last block and shows it at once.

        Raises:
            MessageFenced: The lease is in doubt.
        """
        self._check()
        self.message.blocks[-1].add(piece)
        self._changed()

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
        if not self._may_show():
            raise MessageFenced

    def _changed(self) -> None:
        self._flusher.dirty.add(self)
        self._flusher.wake.set()
        self._feed.touch()

    def unflushed(self) -> list[list[Any]]:
        """What the store does not have yet, as the JSON pieces of a segment."""
        pieces: list[list[Any]] = []
        first = max(self.flushed_block, 0)
        for index in range(first, len(self.message.blocks)):
            block = self.message.blocks[index]
            offset = self.flushed_offset if index == self.flushed_block else 0
            if index > self.flushed_block:
                pieces.append([index, block.type, block.id, block.name])
            if block.length > offset:
                pieces.append([index, offset, block.since(offset, block.length)])
        return pieces

    def mark(self, block: int, offset: int) -> None:
        """Notes what a commit has stored."""
        self.flushed_block, self.flushed_offset = block, offset
        self.message.segments += 1


class Flusher:
    """The one writer of segments."""

    def __init__(self, database: Database, feeds: Feeds) -> None:
        self.feeds = feeds
        self.dirty: set[MessageWriter] = set()
        self.wake = asyncio.Event()
        self._database = database
        lock = " FOR SHARE" if database.dialect == "postgresql" else ""
        self._insert = text(_INSERT + lock)

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
            except HomeportError as error:
                _logger.warning("segments.flush-failed", code=error.code, messages=len(self.dirty))
                self.wake.set()

    async def flush(self) -> None:
        """Commits what all open messages have gained since the last time.

        Raises:
            Unavailable: The store does not take it now; the text is kept and tried again.
        """
        batch: list[tuple[MessageWriter, int, int]] = []
        rows: list[dict[str, Any]] = []
        for writer in list(self.dirty):
            message = writer.message
            last = len(message.blocks) - 1
            batch.append((writer, last, message.blocks[last].length))
            rows.append(
                {
                    "stream": writer.stream,
                    "ordinal": message.segments,
                    "body": orjson.dumps(writer.unflushed()),
                    "message_id": message.message_id,
                    "epoch": message.epoch,
                }
            )
        if not rows:
            return
        async with self._database.write() as session:
            connection = await session.connection()
            await connection.execute(self._insert, rows)
        for writer, block, offset in batch:
            writer.mark(block, offset)
            message = writer.message
            ahead = len(message.blocks) - 1 > block or message.blocks[block].length > offset
            if not ahead:
                self.dirty.discard(writer)
            elif writer in self.dirty:
                self.wake.set()
