"""What a reader is sent: one frame, the same JSON on every transport."""

from __future__ import annotations

import hashlib
from typing import Any, cast

import orjson

from homeport.eventlog.record import Record
from homeport.kernel import clock

INLINE_BYTES = 32 * 1024
"""Tool inputs and results above this travel as `truncated, size, href`."""
LIVE_BYTES = 200
"""What a live frame takes beside its text."""


class Frame:
    """One thing that happened, encoded once and shared by all who stand at the same place.

    Attributes:
        cursor: Where a reader stands after this frame; `id:` on SSE, a member of the JSON.
        kind: A kind of the catalogue, or one of the live ones (API.md 5).
        members: What a live frame says beside that, for wires of other forms; None for an event.
        length: Code points that a delta moves its reader on; 0 for all else.
        size: About as many bytes as it travels in.
        record: The stored event behind it, if it is one.
    """

    __slots__ = ("_data", "_sse", "cursor", "kind", "length", "members", "record", "size")

    def __init__(
        self,
        cursor: str,
        kind: str,
        *,
        data: bytes | None = None,
        members: dict[str, Any] | None = None,
        length: int = 0,
        size: int,
        record: Record | None = None,
    ) -> None:
        self.cursor = cursor
        self.kind = kind
        self.members = members
        self.length = length
        self.size = size
        self.record = record
        self._data = data
        self._sse: bytes | None = None

    @property
    def data(self) -> bytes:
        """One JSON object on one line, UTF-8; of a live frame made when first asked for."""
        if self._data is None:
            head = {"cursor": self.cursor, "kind": self.kind, "at": clock.rfc3339(clock.utc_now())}
            self._data = orjson.dumps(head | (self.members or {}))
        return self._data

    @property
    def sse(self) -> bytes:
        """The frame on an event stream (WHATWG HTML, 9.2): LF only, ends with an empty line."""
        if self._sse is None:
            self._sse = b"id: %b\nevent: %b\ndata: %b\n\n" % (
                self.cursor.encode(),
                self.kind.encode(),
                self.data,
            )
        return self._sse


def live_frame(cursor: str, kind: str, members: dict[str, Any]) -> Frame:
    """A frame that is computed by the reader and stored nowhere."""
    return Frame(cursor, kind, members=members, size=LIVE_BYTES)


def delta_frame(cursor: str, members: dict[str, Any]) -> Frame:
    """A piece of an open message's text."""
    text: str = members["text"]
    bytes_each = 1 if text.isascii() else 4
    size = LIVE_BYTES + bytes_each * len(text)
    return Frame(cursor, "message.delta", members=members, length=len(text), size=size)


def event_frame(cursor: str, record: Record) -> Frame:
    """A stored event as it travels."""
    payload = record.payload
    if (record.bounds == "closes" and not record.erased) or len(payload) > INLINE_BYTES:
        payload = orjson.dumps(_for_the_wire(record, orjson.loads(payload)))
    data = _document(cursor, record, payload)
    return Frame(cursor, record.kind, data=data, size=len(data), record=record)


def whole_event(record: Record) -> bytes:
    """A stored event with everything in it: what the `href` of a truncated member leads to."""
    return _document(str(record.seq), record, record.payload)


def _document(cursor: str, record: Record, payload: bytes) -> bytes:
    head = orjson.dumps(
        {"cursor": cursor, "kind": record.kind, "at": _at(record.at), "actor": record.actor}
    )
    return head if payload == b"{}" else head[:-1] + b"," + payload[1:]


def _at(milliseconds: int) -> str:
    return clock.rfc3339(clock.from_milliseconds(milliseconds))


def _for_the_wire(record: Record, payload: dict[str, Any]) -> dict[str, Any]:
    if record.bounds == "closes":
        payload["blocks"] = [_closing(block) for block in payload["blocks"]]
    session_id = record.stream.partition(":")[2]
    href = f"/v1/sessions/{session_id}/events/{record.seq}"
    return {name: _bounded(value, href, name) for name, value in payload.items()}


def _closing(block: dict[str, Any]) -> dict[str, Any]:
    """A block of a closed message: everything but its text, which has been sent."""
    text = block.pop("text", "")
    return block | {
        "length": len(text),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def _bounded(value: Any, href: str, name: str) -> Any:
    if name == "blocks":
        blocks = cast("list[dict[str, Any]]", value)
        return [{key: _bounded(each, href, key) for key, each in b.items()} for b in blocks]
    encoded = value.encode() if isinstance(value, str) else orjson.dumps(value)
    if len(encoded) <= INLINE_BYTES:
        return value
    bounded: dict[str, Any] = {"truncated": True, "size": len(encoded), "href": href}
    if isinstance(value, str):
        bounded["preview"] = value[:2_000]
    return bounded
