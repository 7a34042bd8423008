"""What is happening now in one stream, for the readers of this process.

A feed keeps the last committed records and the message that is being written. It has no queues: a
subscriber holds a cursor and takes what lies behind it, from here or, when it is late, from the
database. What one subscriber has encoded the others reuse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from homeport.eventlog.record import Record
from homeport.eventlog.text import Block

RING_BYTES = 1 << 20
RING_RECORDS = 512
SHARED_FRAMES = 512


class LiveMessage:
    """The one open message of a stream, as far as this process knows its text.

    Attributes:
        local: Written here; otherwise a mirror of what another node has stored.
        segments: Rows of the store that are contained in the text.
    """

    __slots__ = ("blocks", "epoch", "local", "message_id", "segments", "started_seq")

    def __init__(self, *, message_id: str, started_seq: int, epoch: int, local: bool) -> None:
        self.message_id = message_id
        self.started_seq = started_seq
        self.epoch = epoch
        self.local = local
        self.blocks: list[Block] = []
        self.segments = 0


class Feed:
    """One stream's present. Lives while somebody reads it or writes a message to it.

    Attributes:
        head: The newest `seq` heard of; the database may know more.
        version: Grows with every change; `wait` compares it.
        shared: Encoded frames, by whatever key the readers choose.
    """

    __slots__ = (
        "_changed",
        "_ring",
        "_ring_bytes",
        "head",
        "live",
        "shared",
        "stream",
        "subscribers",
        "version",
    )

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.head = 0
        self.version = 0
        self.live: LiveMessage | None = None
        self.subscribers = 0
        self.shared: dict[Any, Any] = {}
        self._ring: dict[int, Record] = {}
        self._ring_bytes = 0
        self._changed: asyncio.Future[None] | None = None

    def publish(self, records: Sequence[Record]) -> None:
        """Takes committed records in; the database already holds them."""
        for record in records:
            self.head = max(self.head, record.seq)
            if record.bounds == "closes":
                self.live = None
                self.shared.clear()  # what was shown and not kept must not be shown again
            if self.subscribers:
                self._ring[record.seq] = record
                self._ring_bytes += len(record.payload)
        while len(self._ring) > RING_RECORDS or (self._ring_bytes > RING_BYTES and self._ring):
            oldest = self._ring.pop(min(self._ring))
            self._ring_bytes -= len(oldest.payload)
        self.touch()

    def record(self, seq: int) -> Record | None:
        """The record `seq`, when it is still in memory."""
        return self._ring.get(seq)

    def touch(self) -> None:
        """Says that something changed; wakes everybody who waits."""
        self.version += 1
        if self._changed is not None:
            changed, self._changed = self._changed, None
            if not changed.done():
                changed.set_result(None)

    async def wait(self, version: int) -> None:
        """Returns as soon as the feed is newer than `version`."""
        if self.version != version:
            return
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        # One future for all: shielded, so that one reader's end is not everybody's.
        await asyncio.shield(self._changed)

    def share(self, key: Any, frame: Any) -> None:
        """Keeps an encoded frame for the next subscriber that stands at the same place."""
        if len(self.shared) >= SHARED_FRAMES:
            self.shared.clear()
        self.shared[key] = frame


class Feeds:
    """The feeds of this process, by stream."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}

    def find(self, stream: str) -> Feed | None:
        """The feed of `stream`, when there is one."""
        return self._feeds.get(stream)

    def attach(self, stream: str) -> Feed:
        """Subscribes; every `attach` is paired with one `detach`."""
        feed = self.of(stream)
        feed.subscribers += 1
        return feed

    def detach(self, feed: Feed) -> None:
        """Ends a subscription."""
        feed.subscribers -= 1
        self.tidy(feed)

    def of(self, stream: str) -> Feed:
        """The feed of `stream`, made when there is none."""
        feed = self._feeds.get(stream)
        if feed is None:
            feed = self._feeds[stream] = Feed(stream)
        return feed

    def tidy(self, feed: Feed) -> None:
        """Drops a feed that nobody reads and nobody writes."""
        idle = not feed.subscribers and feed.live is None
        if idle and self._feeds.get(feed.stream) is feed:
            del self._feeds[feed.stream]

    def publish(self, records: Sequence[Record]) -> None:
        """Hands committed records to the feeds that exist; others cost nothing."""
        by_stream: dict[str, list[Record]] = {}
        for record in records:
            if record.stream in self._feeds:
                by_stream.setdefault(record.stream, []).append(record)
        for stream, its in by_stream.items():
            feed = self._feeds[stream]
            feed.publish(its)
            self.tidy(feed)

    def read(self) -> list[Feed]:
        """The feeds that somebody reads."""
        return [feed for feed in self._feeds.values() if feed.subscribers]
