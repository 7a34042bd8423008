"""The log as the rest of the house sees it: write units, open messages, and the present."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.exc import SQLAlchemyError

from homeport.eventlog import read
from homeport.eventlog.append import Unit
from homeport.eventlog.errors import MessageFenced
from homeport.eventlog.feed import Feed, Feeds, LiveMessage
from homeport.eventlog.segments import Flusher, MessageWriter
from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError

POLL_S = 1.0
REFRESH_TRIES = 5
_logger = structlog.get_logger(__name__)


class EventLog:
    """One append-only log over one database.

    What happens goes through `unit`; what looks goes through `feeds` and `read`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.feeds = Feeds()
        self._flusher = Flusher(database, self.feeds)
        self._position: int | None = None
        self._chores: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Starts the flusher and the poll for what other processes appended."""
        self._chores = [
            asyncio.create_task(self._flusher.run(), name="log.flusher"),
            asyncio.create_task(self._poll(), name="log.poll"),
        ]

    async def stop(self) -> None:
        """Stores what is still unflushed and ends the chores."""
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        self._chores = []
        try:
            await self.flush()
        except (HomeportError, SQLAlchemyError, OSError) as error:
            _logger.warning("segments.flush-failed", at="stop", error=repr(error))

    async def flush(self) -> None:
        """Stores what the open messages have gained; the flusher does it every 50 ms.

        Raises:
            Unavailable: The database does not take it now; nothing is lost, the next time has it.
        """
        await self._flusher.flush()

    @asynccontextmanager
    async def unit(self, *streams: str) -> AsyncGenerator[Unit, None]:
        """One write transaction over `streams` and whatever state rows are changed in it.

        Commits at the end of the block, rolls back when it raises. Inside, await the database only.

        Raises:
            Unavailable: The database is busy, full or does not answer; nothing was kept.
        """
        async with self.database.write() as session:
            unit = await Unit.begin(session, streams)
            yield unit
            await unit.flush()
        self.feeds.publish(unit.records)

    def open_message(
        self,
        stream: str,
        *,
        message_id: str,
        started_seq: int,
        epoch: int,
        may_show: Callable[[], bool] = lambda: True,
    ) -> MessageWriter:
        """The writing end of the message that `message.started` at `started_seq` has opened.

        Raises:
            MessageFenced: A later message of the stream is being written already.
        """
        feed = self.feeds.of(stream)
        if feed.live is not None and feed.live.started_seq > started_seq:
            raise MessageFenced
        feed.live = LiveMessage(
            message_id=message_id, started_seq=started_seq, epoch=epoch, local=True
        )
        feed.touch()
        return MessageWriter(feed, feed.live, self._flusher, may_show)

    async def refresh(self, feed: Feed) -> None:
        """Brings a feed up to the database: its head, and a message written elsewhere.

        Drops a message that was written here and that somebody else has closed.

        Raises:
            Unavailable: The database is busy or does not answer; the feed is as it was.
        """
        async with feed.refreshing:
            for _ in range(REFRESH_TRIES):
                if await self._refreshed(feed):
                    return

    async def _refreshed(self, feed: Feed) -> bool:
        """Whether what was read is still the newest when it has been read."""
        async with self.database.read() as session:
            head = await read.head_of(session, feed.stream) or 0
            opened = await read.open_message(session, feed.stream)
            seen = live = feed.live
            if head < feed.head or (seen is not None and seen.started_seq > head):
                return False
            if opened is None:
                live = None
            elif live is None or live.message_id != opened.message_id:
                live = LiveMessage(
                    message_id=opened.message_id,
                    started_seq=opened.started_seq,
                    epoch=opened.epoch,
                    local=False,
                )
            if live is not None and not live.local:
                before = live.length
                live.segments = await read.stored_blocks(
                    session, feed.stream, live.blocks, ordinal=live.segments
                )
                feed.volume += live.length - before
        if feed.live is not seen or head < feed.head:
            return False
        feed.live, feed.head = live, head
        feed.touch()
        return True

    async def _poll(self) -> None:
        """Other processes append too; a subscriber hears of it within a second, whatever fails."""
        while True:
            await asyncio.sleep(POLL_S)
            feeds = {feed.stream: feed for feed in self.feeds.read()}
            if not feeds:
                self._position = None
                continue
            try:
                await self._look_around(feeds)
            except (HomeportError, SQLAlchemyError, OSError) as error:
                _logger.warning("log.poll-failed", feeds=len(feeds), error=repr(error))
            for feed in feeds.values():
                feed.rest()

    async def _look_around(self, feeds: dict[str, Feed]) -> None:
        async with self.database.read() as session:
            if self._position is None:
                moved, position = None, await read.last_position(session)
            else:
                moved, position = await read.moved_since(session, self._position)
        for stream, feed in feeds.items():
            mirror = feed.live is not None and not feed.live.local
            if moved is None or mirror or moved.get(stream, 0) > feed.head:
                await self.refresh(feed)
        self._position = position
