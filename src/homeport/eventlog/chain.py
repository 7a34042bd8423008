"""Judges events by the hash chain that they stand in; knows no database.

What is found wrong is named and gone past: the chain is taken up again at the hash that is stored,
so that one change is one finding, and not one for each event behind it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from homeport.eventlog.catalogue.base import catalogue
from homeport.eventlog.catalogue.payload import PayloadErased
from homeport.eventlog.envelope import GENESIS

_KINDS = catalogue()
_BOUNDS = {key: event.bounds for key, event in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written.

    Attributes:
        what: A word for it: `gap`, `payload`, `hash`, `bounds`, `position`, `payload-missing`,
            `head`, `seal`, `sealed-head`, `anchor`; of an export also `line`.
        stream: None where it is about seals or lines.
        seq: The event at fault; of a seal or a line, its number.
    """

    what: str
    stream: str | None
    seq: int
    detail: str


class Stored(NamedTuple):
    """An event as the database or an export has it."""

    stream: str
    position: int
    seq: int
    kind: str
    version: int
    at: int
    actor: str
    bounds: str | None
    payload_digest: bytes
    hash: bytes
    salt: bytes | None
    payload: bytes | None


@dataclass(slots=True)
class Chain:
    """One stream, event by event, from its first.

    Attributes:
        seq: The last event that was seen.
        hash: What that event's row says its hash is.
    """

    stream: str
    seq: int = 0
    hash: bytes = GENESIS
    _position: int = 0
    _missing: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    _erasures: list[PayloadErased] = field(default_factory=list[PayloadErased])

    def add(self, event: Stored) -> Iterator[Finding]:
        """Judges the next event."""
        try:
            yield from self._judge(event)
        except TypeError:  # SQLite takes a text for bytes, and for a number
            yield self._finding("hash", self.seq + 1, "a column has another type than written")
            self.seq, self.hash = self.seq + 1, event.hash

    def _judge(self, event: Stored) -> Iterator[Finding]:
        seq = event.seq
        if seq != self.seq + 1:
            yield self._finding("gap", self.seq + 1, f"events up to {seq - 1} are missing")
        if event.payload is None or event.salt is None:
            self._missing.append((seq, event.kind))
        elif hashlib.sha256(event.salt + event.payload).digest() != event.payload_digest:
            yield self._finding("payload", seq, "what it says is not what was written")
        elif event.kind == PayloadErased.kind:
            try:
                self._erasures.append(PayloadErased.model_validate(orjson.loads(event.payload)))
            except ValueError:  # whoever put it there made a digest for it, too
                yield self._finding("payload", seq, "it does not say what was erased")
        header = orjson.dumps([self.stream, seq, event.kind, event.version, event.at, event.actor])
        link = hashlib.sha256(self.hash + header + event.payload_digest).digest()
        if link != event.hash and seq == self.seq + 1:
            yield self._finding("hash", seq, "header, digest or hash were changed, or its place")
        if _BOUNDS.get((event.kind, event.version), event.bounds) != event.bounds:
            yield self._finding("bounds", seq, f"{event.kind} does not bound a message so")
        if event.position <= self._position:
            yield self._finding("position", seq, "it stands before the event before it")
        self.seq, self.hash, self._position = seq, event.hash, event.position

    def end(self, head_seq: int, head_hash: bytes) -> Iterator[Finding]:
        """Judges what only the whole stream tells: its end, and what says nothing any more."""
        try:
            yield from self._judge_head(head_seq, head_hash)
        except TypeError:  # as above
            yield self._finding("head", self.seq, "the stream's head is no number")
        for seq, kind in self._missing:
            if not any(_covers(each, seq, kind) for each in self._erasures):
                yield self._finding("payload-missing", seq, "its payload is gone, and not erased")

    def _judge_head(self, head_seq: int, head_hash: bytes) -> Iterator[Finding]:
        if self.seq < head_seq:
            detail = f"events up to {head_seq} are missing: the stream was cut"
            yield self._finding("head", self.seq + 1, detail)
        elif self.seq > head_seq:
            detail = f"the stream's head is {head_seq}; what follows was put there"
            yield self._finding("head", head_seq + 1, detail)
        elif self.hash != head_hash:
            yield self._finding("head", self.seq, "the last event is not the one that was written")

    def _finding(self, what: str, seq: int, detail: str) -> Finding:
        return Finding(what, self.stream, seq, detail)


def _covers(erasure: PayloadErased, seq: int, kind: str) -> bool:
    in_range = erasure.first_seq <= seq <= erasure.last_seq
    return in_range and (erasure.kinds is None or kind in erasure.kinds)
