"""What is happening now in one stream, for the readers of this process.

A feed keeps the last committed records and the message that is being written. It has no queues: a
subscriber holds a cursor and takes what lies behind it, from here or, when it is late, from the
database. What one subscriber has encoded the others reuse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from typing import Any

from homeport.eventlog.catalogue.payload import PayloadErased
from homeport.eventlog.record import Record
from homeport.eventlog.text import Block

RING_BYTES = 1 << 20
RING_RECORDS = 512
SHARED_BYTES = 1 << 18


class Shared:
    """What one reader has made and the next one at the same place needs again."""

    __slots__ = ("_bytes", "_made")

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}
        self._bytes = 0

    def get(self, key: Hashable) -> Any:
        """What was kept under `key`, or None."""
        return self._made.get(key)

    def put(self, key: Hashable, made: Any, size: int) -> None:
        """Keeps `made`, of about `size` bytes, for a while."""
        self._bytes += size
        if self._bytes > SHARED_BYTES:
            self.clear()
            self._bytes = size
        if size <= SHARED_BYTES:
            self._made[key] = made

    def clear(self) -> None:
        """Forgets everything."""
        self._made.clear()
        self._bytes = 0


class LiveMessage:
    """The one open message of a stream, as far as this process knows its text.

    Attributes:
        local: Written here; otherwise a mirror of what another node has stored.
        segments: Rows of the store that are contained in the text.
        shared: Frames of this text. They go with it: what was shown and not kept must not be shown
            again once the message is closed.
    """

    __slots__ = ("blocks", "epoch", "local", "message_id", "segments", "shared", "started_seq")

    def __init__(self, *, message_id: str, started_seq: int, epoch: int, local: bool) -> None:
        self.message_id = message_id
        self.started_seq = started_seq
        self.epoch = epoch
        self.local = local
        self.blocks: list[Block] = []
        self.segments = 0
        self.shared = Shared()

    @property
    def length(self) -> int:
        """Code points so far, all blocks together."""
        return sum(block.length for block in self.blocks)


class Feed:
    """One stream's present. Lives while somebody reads it or writes a message to it.

    Attributes:
        head: The newest `seq` heard of; the database may know more.
        version: Grows with every change; a reader that has seen it has nothing to do.
        volume: Characters and bytes that came in since the feed was made: how far it moved on.
        shared: Frames of committed events, and of the text of closed messages.
        steps: What readers made of this version, by the place where they stood.
    """

    __slots__ = (
        "_rested",
        "_ring",
        "_ring_bytes",
        "_waiting",
        "head",
        "live",
        "shared",
        "steps",
        "stream",
        "subscribers",
        "version",
        "volume",
    )

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.head = 0
        self.version = 0
        self.volume = 0
        self.live: LiveMessage | None = None
        self.subscribers = 0
        self.shared = Shared()
        self.steps: dict[Hashable, Any] = {}
        self._ring: dict[int, Record] = {}
        self._ring_bytes = 0
        self._rested = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def publish(self, records: Sequence[Record]) -> None:
        """Takes committed records in; the database already holds them.

        Two units may come in the other order than they were committed in.
        """
        for record in records:
            if record.kind == PayloadErased.kind:
                self._forget()  # what is kept for those who are late may be what was erased
            self.head = max(self.head, record.seq)
            self.volume += len(record.payload)
            live = self.live
            if record.bounds == "closes" and live is not None and live.started_seq < record.seq:
                self.live = None
            if self.subscribers and record.seq not in self._ring:  # else read before it was told
                self._ring[record.seq] = record
                self._ring_bytes += len(record.payload)
        while len(self._ring) > RING_RECORDS or (self._ring_bytes > RING_BYTES and self._ring):
            oldest = self._ring.pop(min(self._ring))
            self._ring_bytes -= len(oldest.payload)
        self.touch()

    def heard(self, head: int) -> None:
        """Takes note that the stream goes up to `head`, whoever appended that."""
        if head > self.head:
            self.head = head
            self.touch()

    def record(self, seq: int) -> Record | None:
        """The record `seq`, when it is still in memory."""
        return self._ring.get(seq)

    def touch(self) -> None:
        """Says that something changed; wakes everybody who waits."""
        self.version += 1
        self.steps.clear()
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    def news(self) -> asyncio.Future[None]:
        """Done at the next change; whoever does not wait for that calls `leave`."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        return waiting

    def leave(self, waiting: asyncio.Future[None]) -> None:
        """Forgets what `news` gave."""
        self._waiting.discard(waiting)

    def rest(self) -> None:
        """Forgets what only somebody late would need, when nothing came since the last call."""
        if self.version == self._rested:
            self._forget()
            self.steps.clear()
            if self.live is not None:
                self.live.shared.clear()
        self._rested = self.version

    def _forget(self) -> None:
        self._ring.clear()
        self._ring_bytes = 0
        self.shared.clear()


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
        """Drops a feed that nobody reads and nobody here writes."""
        idle = not feed.subscribers and (feed.live is None or not feed.live.local)
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
