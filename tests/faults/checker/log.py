"""The log by itself: every number in its place, every hash as it must be, no message left open."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator

from faults.checker.history import Event, Finding, History, Stream

GENESIS = bytes(32)


def judge_log(history: History) -> Iterator[Finding]:
    """What is wrong in the log, whoever has seen it."""
    for stream in history.streams.values():
        yield from _numbers(stream)
        yield from _chain(stream)
        yield from _messages(stream)
    positions = Counter(e.position for s in history.streams.values() for e in s.events)
    for position, count in positions.items():
        if count > 1:
            yield Finding("log.position", f"position {position}", f"{count} events have it")
    for row in history.table("open_messages"):
        yield Finding("log.message-open", row["stream"], "a message is still being written")
    for row in history.table("message_segments"):
        yield Finding("log.message-open", row["stream"], "text is left of a message that is over")


def _numbers(stream: Stream) -> Iterator[Finding]:
    seqs = [event.seq for event in stream.events]
    if seqs != list(range(1, len(seqs) + 1)):
        wrong = next(n for n, seq in enumerate(seqs, 1) if n != seq)
        yield Finding("log.gap", f"{stream.name} {wrong}", f"it is followed by {seqs[wrong - 1]}")
    if stream.head_seq != max(seqs, default=0):
        told = f"the head says {stream.head_seq}, the last event is {max(seqs, default=0)}"
        yield Finding("log.head", stream.name, told)
    last = 0
    for event in stream.events:
        if event.position <= last:
            told = f"position {event.position} comes behind {last}"
            yield Finding("log.position", f"{stream.name} {event.seq}", told)
        last = event.position


def _chain(stream: Stream) -> Iterator[Finding]:
    previous = GENESIS
    for event in stream.events:
        where = f"{stream.name} {event.seq}"
        if digest_of(event) != event.payload_digest:
            yield Finding("log.payload", where, "the payload is not what was appended")
        if hash_of(previous, event) != event.hash:
            yield Finding("log.chain", where, "the hash does not follow from the one before")
        previous = bytes.fromhex(event.hash)
    if previous.hex() != stream.head_hash:
        yield Finding("log.head", stream.name, "the head's hash is not the last event's")


def digest_of(event: Event) -> str:
    """SHA-256(salt | payload), in hex."""
    return hashlib.sha256(bytes.fromhex(event.salt) + event.payload.encode()).hexdigest()


def hash_of(previous: bytes, event: Event) -> str:
    """SHA-256(previous | header as a JSON array | payload digest), in hex."""
    header = [event.stream, event.seq, event.kind, event.version, event.at, event.actor]
    canonical = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return hashlib.sha256(previous + canonical + bytes.fromhex(event.payload_digest)).hexdigest()


def _messages(stream: Stream) -> Iterator[Finding]:
    opened: str | None = None
    for event in stream.events:
        where = f"{stream.name} {event.seq}"
        if event.kind == "message.started":
            if opened is not None:
                yield Finding("log.message-open", where, f"{opened} is open already")
            opened = event.body["message_id"]
        elif event.closes:
            if opened != event.body["message_id"]:
                yield Finding("log.message-open", where, "it closes what is not open")
            opened = None
    if opened is not None:
        yield Finding("log.message-open", stream.name, f"{opened} was never closed")
