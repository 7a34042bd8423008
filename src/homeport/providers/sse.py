"""Server-sent events from bytes, as they come: WHATWG HTML, "event stream interpretation".

Written for one hot path, a stream of small two-line events; anything else is parsed correctly and a
little slower. Works on bytes: a cut inside a UTF-8 character is a cut inside a line.
"""

from __future__ import annotations

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_EVENT_BYTES = 32 << 20
EVENT_FIELD = b"event: "
DATA_FIELD = b"\ndata: "

SSEvent = tuple[bytes, bytes]
"""Name (empty when the stream gave none) and data."""


class SSEParser:
    """Turns pieces of an event stream, cut anywhere, into events.

    An event without data is not dispatched, and one that the stream's end cuts off is lost, as the
    standard demands. `id` and `retry` are for clients that reconnect, and are passed over.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._rest = b""
        self._began = False
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[SSEvent]:
        """The events that `chunk` completes, in order.

        Raises:
            ValueError: An event grows beyond `max_event_bytes`.
        """
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_plain_newlines(chunk)
        data = self._rest + chunk if self._rest else chunk
        if not self._began:
            if len(data) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(data):
                self._rest = data
                return []
            data = data.removeprefix(BYTE_ORDER_MARK)
            self._began = True
        # The end of an event can lie one byte before what is new.
        search = max(len(data) - len(chunk) - 1, 0)
        start, events = 0, list[SSEvent]()
        while (end := data.find(b"\n\n", search)) >= 0:
            _read_event(data, start, end, events)
            start = search = end + 2
        self._rest = data[start:]
        if len(self._rest) > self._max:
            message = f"an event of the stream is larger than {self._max} bytes"
            raise ValueError(message)
        return events

    def _with_plain_newlines(self, chunk: bytes) -> bytes:
        """`chunk` with LF only; CR LF may be cut in its middle."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            if not chunk:
                self._after_cr = False
                return chunk
        self._after_cr = chunk.endswith(b"\r") if chunk else self._after_cr
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _read_event(data: bytes, start: int, end: int, events: list[SSEvent]) -> None:
    """Appends the event that lies in `data[start:end]`, if it is one."""
    if data.startswith(EVENT_FIELD, start):
        line_end = data.find(b"\n", start, end)
        value = line_end + len(DATA_FIELD)
        if data.startswith(DATA_FIELD, line_end) and data.find(b"\n", value, end) < 0:
            events.append((data[start + len(EVENT_FIELD) : line_end], data[value:end]))
            return
    _read_lines(data[start:end], events)


def _read_lines(block: bytes, events: list[SSEvent]) -> None:
    name, values = b"", list[bytes]()
    for line in (*block.split(b"\n"), b""):
        if not line:
            if values:
                events.append((name, b"\n".join(values)))
            name, values = b"", []
            continue
        field, colon, value = line.partition(b":")
        if colon and value.startswith(b" "):
            value = value[1:]
        if field == b"data":
            values.append(value)
        elif field == b"event":
            name = value
