"""Keeps the feeds of this process in step with what other processes write.

Whatever another node appends or streams reaches the readers here out of the database: at once when
a wake-up says where to look, within a second when none does. However many streams have moved, one
look takes them all in, and the next one begins when it is done.
"""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from homeport.eventlog import read
from homeport.eventlog.feed import Feed, Feeds, LiveMessage
from homeport.eventlog.news import Known, News, news_of
from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError

POLL_S = 1.0
REFRESH_TRIES = 5
_logger = structlog.get_logger(__name__)


class Mirror:
    """What other processes do, for the feeds that somebody reads here."""

    def __init__(self, database: Database, feeds: Feeds) -> None:
        self._database = database
        self._feeds = feeds
        self._wanted: set[Feed] = set()
        self._looking = asyncio.Lock()
        self._told: set[str] = set()
        self._news = asyncio.Event()
        self._position: int | None = None

    def told(self, stream: str) -> None:
        """Somebody says that `stream` has moved."""
        feed = self._feeds.find(stream)
        if feed is not None and feed.subscribers:
            self._told.add(stream)
            self._news.set()

    async def refresh(self, *feeds: Feed) -> None:
        """Brings feeds up to the database: their heads, and messages written elsewhere.

        Drops a message that was written here and that somebody else has closed.

        Raises:
            Unavailable: The database is busy or does not answer; the feeds are as they were.
        """
        self._wanted.update(feeds)
        async with self._looking:  # whoever comes first looks for all who wait
            wanted, self._wanted = self._wanted, set()
            try:
                for _ in range(REFRESH_TRIES):
                    if not wanted:
                        return
                    wanted = await self._look(wanted)
            except BaseException:
                self._wanted |= wanted
                raise

    async def follow(self) -> None:
        """Looks where it is told to, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            told, self._told = self._told, set()
            feeds = [feed for feed in self._feeds.read() if feed.stream in told]
            try:
                await self.refresh(*feeds)
            except (HomeportError, SQLAlchemyError, OSError) as error:
                _logger.warning("log.follow-failed", feeds=len(feeds), error=repr(error))

    async def poll(self) -> None:
        """Looks by itself, for ever: a subscriber hears of all within a second, whatever fails."""
        while True:
            await asyncio.sleep(POLL_S)
            feeds = {feed.stream: feed for feed in self._feeds.read()}
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
        async with self._database.read() as session:
            if self._position is None:
                moved, position = None, await read.last_position(session)
            else:
                moved, position = await read.moved_since(session, self._position)
        behind = [
            feed
            for stream, feed in feeds.items()
            if moved is None
            or (feed.live is not None and not feed.live.local)
            or moved.get(stream, 0) > feed.head
        ]
        await self.refresh(*behind)
        self._position = position

    async def _look(self, feeds: set[Feed]) -> set[Feed]:
        """Takes in what there is; the feeds that moved on meanwhile are to be looked at again."""
        # One that was let go while it waited may have a successor, which asks for itself.
        seen = {feed: feed.live for feed in feeds if self._feeds.find(feed.stream) is feed}
        if not seen:
            return set()
        async with self._database.read() as session:
            news = await news_of(session, map(_known, seen))
        return {
            feed
            for feed, live in seen.items()
            if feed.live is not live or not _took(feed, news[feed.stream])
        }


def _known(feed: Feed) -> Known:
    live = feed.live
    if live is None:
        return Known(feed.stream, feed.head, None, 0)
    return Known(feed.stream, feed.head, live.message_id, live.segments)


def _took(feed: Feed, news: News) -> bool:
    """Takes `news` in; False when they are older than what the feed knows."""
    live, opened = feed.live, news.opened
    if news.head < feed.head or (live is not None and live.started_seq > news.head):
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
    grown = live is not None and not live.local and bool(news.segments)
    if live is not None and grown:
        before = live.length
        for body in news.segments:
            read.add_segment(live.blocks, body)
        live.segments += len(news.segments)
        feed.volume += live.length - before
    if grown or live is not feed.live or news.head > feed.head:
        feed.publish(news.records)
        feed.live, feed.head = live, news.head
        feed.touch()
    return True
