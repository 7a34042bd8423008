"""The log as the rest of the house sees it: write units, open messages, and the present."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import structlog

from homeport.eventlog import read
from homeport.eventlog.append import Unit
from homeport.eventlog.feed import Feed, Feeds, LiveMessage
from homeport.eventlog.segments import Flusher, MessageWriter
from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError

POLL_S = 1.0
_logger = structlog.get_logger(__name__)


class EventLog:
    """One append-only log over one database.

    What happens goes through `unit`; what looks goes through `feeds` and `read`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.feeds = Feeds()
        self._flusher = Flusher(database, self.feeds)
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
            await self._flusher.flush()
        except HomeportError as error:
            _logger.warning("segments.flush-failed", code=error.code, at="stop")

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
        """The writing end of the message that `message.started` at `started_seq` has opened."""
        feed = self.feeds.of(stream)
        feed.live = LiveMessage(
            message_id=message_id, started_seq=started_seq, epoch=epoch, local=True
        )
        feed.touch()
        return MessageWriter(feed, feed.live, self._flusher, may_show)

    async def refresh(self, feed: Feed) -> None:
        """Brings a feed up to the database: its head, and a message written elsewhere."""
        if feed.live is not None and feed.live.local:
            return
        async with self.database.read() as session:
            head = await read.head_of(session, feed.stream) or 0
            opened = await read.open_message(session, feed.stream)
            live = feed.live
            if opened is None:
                live = None
            elif live is None or live.message_id != opened.message_id:
                live = LiveMessage(
                    message_id=opened.message_id,
                    started_seq=opened.started_seq,
                    epoch=opened.epoch,
                    local=False,
                )
            if live is not None:
                live.segments = await read.stored_blocks(
                    session, feed.stream, live.blocks, ordinal=live.segments
                )
        if feed.live is not None and feed.live.local:
            return  # a local writer opened it while we looked
        feed.live = live
        feed.head = max(feed.head, head)
        feed.touch()

    async def _poll(self) -> None:
        """Other processes append too; a subscriber hears of it within a second, whatever fails."""
        while True:
            await asyncio.sleep(POLL_S)
            feeds = {feed.stream: feed for feed in self.feeds.read()}
            if not feeds:
                continue
            try:
                async with self.database.read() as session:
                    heads = await read.heads_of(session, list(feeds))
                for stream, head in heads.items():
                    feed = feeds[stream]
                    if head > feed.head or (feed.live is not None and not feed.live.local):
                        await self.refresh(feed)
            except HomeportError as error:
                _logger.warning("log.poll-failed", code=error.code)
