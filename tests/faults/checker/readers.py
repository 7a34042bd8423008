"""What readers were sent: over all their connections exactly what the log holds, once, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from faults.checker.history import Event, Finding, History, Json, Stream

LIVE = {"block.started", "message.delta", "message.reset"}
SIGNS = {"stream.heartbeat", "server.draining", "stream.ended"}
"""They say where a reader stands, and nothing else."""
DELTA_TYPES = {"thinking": "thinking", "tool_use": "tool_input"}
Fault = tuple[str, str]


@dataclass(slots=True)
class _Message:
    """A message as one reader knows it."""

    id: str
    run_id: str
    epoch: int
    types: list[str] = field(default_factory=list[str])
    texts: list[str] = field(default_factory=list[str])


class _Reader:
    """What one reader knows, over all its connections. After a fault it goes on where it can.

    Attributes:
        epochs: Of the stream's runs, as far as this reader has got.
    """

    def __init__(self, name: str, stream: Stream) -> None:
        self.name = name
        self.stream = stream
        self.cursor = "0"
        self.seq = 0
        self.message: _Message | None = None
        self.epochs: dict[str, int] = {}
        self.events = {event.seq: event for event in stream.events}
        self.closings = {e.body["message_id"]: e for e in stream.events if e.closes}

    @property
    def place(self) -> str:
        """The cursor of a reader who knows this much."""
        if self.message is None or not self.message.texts:
            return str(self.seq)
        texts = self.message.texts
        return f"{self.seq}.{len(texts) - 1}.{len(texts[-1])}"


class _Epochs:
    """By run, the lines on which anybody was first shown each of its epochs."""

    def __init__(self, history: History) -> None:
        self._seen: dict[str, list[tuple[int, int]]] = {}
        for connection in history.connections.values():
            for line, frame in connection.frames:
                if frame["kind"] == "run.started":
                    self._seen.setdefault(frame["run_id"], []).append((line, frame["epoch"]))

    def known(self, run_id: str, line: int) -> int:
        """The newest epoch that somebody knew of before `line`."""
        return max((epoch for seen, epoch in self._seen.get(run_id, ()) if seen < line), default=0)


def judge_readers(history: History) -> Iterator[Finding]:
    """What a reader was sent wrongly, or not at all."""
    epochs = _Epochs(history)
    readers: dict[str, _Reader] = {}
    for connection in sorted(history.connections.values(), key=lambda each: each.number):
        stream = history.streams.get(f"session:{connection.session_id}")
        if stream is None:
            yield Finding("reader.event", connection.reader, "the log holds no such session")
            continue
        reader = readers.setdefault(connection.reader, _Reader(connection.reader, stream))
        if connection.after != reader.cursor:
            told = f"connection {connection.number} began at {connection.after}"
            yield Finding("reader.cursor", reader.name, f"{told}, not at {reader.cursor}")
        for line, frame in connection.frames:
            where = f"{reader.name} connection {connection.number} line {line}"
            for rule, told in _frame(reader, frame, line, epochs):
                yield Finding(rule, where, told)
    for reader in readers.values():
        if reader.seq < max(reader.events):
            told = f"it ends at {reader.cursor}, the log at {max(reader.events)}"
            yield Finding("reader.behind", reader.name, told)


def _frame(reader: _Reader, frame: Json, line: int, epochs: _Epochs) -> Iterator[Fault]:
    kind = frame["kind"]
    if kind in LIVE:
        yield from _live(reader, frame)
    elif kind not in SIGNS:
        yield from _event(reader, frame)
    if kind == "message.delta" and _is_stale(reader, line, epochs):
        yield "reader.stale", f"text that was not kept, behind a newer epoch: {frame['cursor']}"
    if frame["cursor"] != reader.place:
        yield "reader.cursor", f"{kind} says {frame['cursor']}, and one stands at {reader.place}"
    reader.cursor = frame["cursor"]


def _live(reader: _Reader, frame: Json) -> Iterator[Fault]:
    message, kind = reader.message, frame["kind"]
    if message is None or message.id != frame["message_id"]:
        yield "reader.stale", f"{kind} of a message that is not open"
    elif kind == "message.reset":
        closing = reader.closings.get(message.id)
        if closing is None or closing.body.get("reason") != "crashed":
            yield "reader.reset", "nothing was lost of this message"
        message.types, message.texts = [], []
    elif kind == "block.started":
        if frame["block"] != len(message.texts):
            rule = "reader.twice" if frame["block"] < len(message.texts) else "reader.gap"
            yield rule, f"block {frame['block']} behind {len(message.texts)} blocks"
            del message.types[frame["block"] :], message.texts[frame["block"] :]
        message.types.append(frame["type"])
        message.texts.append("")
    else:
        yield from _delta(message, frame)


def _delta(message: _Message, frame: Json) -> Iterator[Fault]:
    if frame["block"] != len(message.texts) - 1:
        yield "reader.gap", f"text of block {frame['block']} in block {len(message.texts) - 1}"
        return
    length = len(message.texts[-1])
    if frame["offset"] != length or not frame["text"]:
        rule = "reader.twice" if frame["offset"] < length else "reader.gap"
        yield rule, f"text at {frame['offset']} behind {length}"
    if frame["type"] != DELTA_TYPES.get(message.types[-1], "text"):
        yield "reader.text", f"{frame['type']} in a block of {message.types[-1]}"
    message.texts[-1] = message.texts[-1][: frame["offset"]].ljust(frame["offset"]) + frame["text"]


def _is_stale(reader: _Reader, line: int, epochs: _Epochs) -> bool:
    """Whether the last text is none of the log's, of an epoch that somebody knew to be over."""
    message = reader.message
    if message is None or not message.texts:
        return False
    closing = reader.closings.get(message.id)
    kept = _texts(closing) if closing is not None else []
    block = len(message.texts) - 1
    if block < len(kept) and kept[block].startswith(message.texts[block]):
        return False
    return message.epoch < epochs.known(message.run_id, line)


def _event(reader: _Reader, frame: Json) -> Iterator[Fault]:
    seq, expected = int(frame["cursor"].partition(".")[0]), reader.seq + 1
    if seq != expected:
        rule = "reader.twice" if seq < expected else "reader.gap"
        yield rule, f"event {seq}, where {expected} was to come"
    reader.seq, event = seq, reader.events.get(seq)
    if event is None:
        yield "reader.event", f"the log has no event {seq}"
        return
    if not _is_same(frame, event):
        yield "reader.event", f"event {seq} ({frame['kind']}) is not the log's ({event.kind})"
    if event.closes:
        yield from _closing(reader, event, frame)
        reader.message = None
    elif event.kind == "run.started":
        reader.epochs[event.body["run_id"]] = event.body["epoch"]
    elif event.kind == "message.started":
        run_id = event.body["run_id"]
        epoch = reader.epochs.get(run_id, 0)
        reader.message = _Message(event.body["message_id"], run_id, epoch)


def _closing(reader: _Reader, event: Event, frame: Json) -> Iterator[Fault]:
    kept, message = _texts(event), reader.message
    types = [block["type"] for block in event.body["blocks"]]
    if message is None or message.id != event.body["message_id"]:
        yield "reader.gap", f"the close of {event.body['message_id']}, which was not open"
    elif (message.types, message.texts) != (types, kept):
        yield "reader.text", f"shown {_short(message.texts)}, kept {_short(kept)}"
    told = [(block["length"], block["sha256"]) for block in frame.get("blocks", ())]
    if told != [(len(text), hashlib.sha256(text.encode()).hexdigest()) for text in kept]:
        yield "reader.event", "the close tells other lengths or digests than the text has"


def _is_same(frame: Json, event: Event) -> bool:
    """Whether a frame is its event; the blocks of a close are compared apart."""
    at = datetime.fromtimestamp(event.at / 1000, UTC).isoformat(timespec="milliseconds")
    whole = {"kind": event.kind, "at": at.replace("+00:00", "Z"), "actor": event.actor}
    kept: Json = {**event.body, **whole}
    left_out = {"cursor", "blocks"} if event.closes else {"cursor"}
    names = (frame.keys() | kept.keys()) - left_out
    return all(_is_value(frame.get(name), kept.get(name)) for name in names)


def _is_value(sent: Any, kept: Any) -> bool:
    """Equal, or sent as the size of what is above 32 KiB."""
    if isinstance(kept, str) and isinstance(sent, dict):
        return bool(sent == {**sent, "truncated": True, "size": len(kept.encode())})
    return bool(sent == kept)


def _texts(event: Event) -> list[str]:
    return [str(block.get("text", "")) for block in event.body["blocks"]]


def _short(texts: list[str]) -> str:
    return ", ".join(f"{len(text)} characters ...{text[-12:]!r}" for text in texts) or "nothing"
