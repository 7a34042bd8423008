"""The log as the rest of the house sees it: write units, open messages, and the present."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.exc import SQLAlchemyError

from homeport.eventlog.append import Unit
from homeport.eventlog.catalogue.payload import PayloadErased
from homeport.eventlog.errors import MessageFenced
from homeport.eventlog.feed import Feed, Feeds, LiveMessage
from homeport.eventlog.mirror import Mirror
from homeport.eventlog.segments import Flusher, MessageWriter
from homeport.kernel.db import Database
from homeport.kernel.errors import HomeportError
from homeport.kernel.wakeups import Wakeups

MOVED = "stream"
"""The topic of wake-ups that name a stream with new events or text."""
FORGET_S = 1.0
"""Between two tries to empty the database's write-ahead log after something was erased."""
_logger = structlog.get_logger(__name__)


class EventLog:
    """One append-only log over one database.

    What happens goes through `unit`; what looks goes through `feeds` and `read`.

    Args:
        wakeups: How other nodes are told what moved; without them they find out by themselves.
    """

    def __init__(self, database: Database, wakeups: Wakeups | None = None) -> None:
        self.database = database
        self.feeds = Feeds()
        self._wakeups = wakeups or Wakeups()
        self._mirror = Mirror(database, self.feeds)
        self._wakeups.on(MOVED, self._mirror.told)
        self._flusher = Flusher(database, self.feeds, stored=self._tell)
        self._chores: list[asyncio.Task[None]] = []
        self._erased = asyncio.Event()

    async def start(self) -> None:
        """Starts the flusher and the eyes for what other processes append."""
        # The process before this one may have ended between an erasure and the emptying after it.
        self._erased.set()
        self._chores = [
            asyncio.create_task(self._flusher.run(), name="log.flusher"),
            asyncio.create_task(self._mirror.follow(), name="log.follow"),
            asyncio.create_task(self._mirror.poll(), name="log.poll"),
            asyncio.create_task(self._forget(), name="log.forget"),
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
        self._tell({record.stream for record in unit.records})
        if any(record.kind == PayloadErased.kind for record in unit.records):
            self._erased.set()

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
        await self._mirror.refresh(feed)

    async def _forget(self) -> None:
        """Empties what the database keeps of erased payloads, for ever."""
        while True:
            await self._erased.wait()
            self._erased.clear()  # before: what is erased meanwhile is for the next time
            done = False
            try:
                done = await self.database.forget()
            except (HomeportError, SQLAlchemyError, OSError, sqlite3.Error) as error:
                _logger.warning("log.forget-failed", error=repr(error))
            if not done:
                self._erased.set()
            await asyncio.sleep(FORGET_S)

    def _tell(self, streams: Iterable[str]) -> None:
        for stream in streams:
            self._wakeups.send(MOVED, stream)
