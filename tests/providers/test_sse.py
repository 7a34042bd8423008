"""The event stream parser against the standard, and against every way of cutting a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.providers.sse import SSEParser


def parse(*chunks: bytes) -> list[tuple[bytes, bytes]]:
    parser = SSEParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def reference(stream: bytes) -> list[tuple[bytes, bytes]]:
    """The standard's text, word by word, on a whole stream."""
    lines = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[tuple[bytes, bytes]] = []
    name, data, has_data = b"", b"", False
    # What follows the last line end is no line.
    for line in lines.split(b"\n")[:-1]:
        if not line:
            if has_data:
                events.append((name, data.removesuffix(b"\n")))
            name, data, has_data = b"", b"", False
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value
        elif field == b"data":
            data, has_data = data + value + b"\n", True
    return events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"event: a\ndata: 1\n\n", [(b"a", b"1")]),
        (b"data: 1\n\n", [(b"", b"1")]),
        (b"data:1\n\n", [(b"", b"1")]),
        (b"data:  1\n\n", [(b"", b" 1")]),
        (b"data: 1\nevent: a\n\n", [(b"a", b"1")]),
        (b"event: a\ndata: 1\ndata: 2\n\n", [(b"a", b"1\n2")]),
        (b"data\n\n", [(b"", b"")]),
        (b"data:\n\n", [(b"", b"")]),
        (b"event: a\ndata:\n\n", [(b"a", b"")]),
        (b"event: a\n\ndata: 1\n\n", [(b"", b"1")]),
        (b": comment\n\nevent: a\n: more\ndata: 1\n\n", [(b"a", b"1")]),
        (b"id: 7\nretry: 10\ndata: 1\n\n", [(b"", b"1")]),
        (b"event: a\r\ndata: 1\r\n\r\n", [(b"a", b"1")]),
        (b"event: a\rdata: 1\r\r", [(b"a", b"1")]),
        (b"event: a\r\ndata: 1\n\r\n", [(b"a", b"1")]),
        (b"\xef\xbb\xbfdata: 1\n\n", [(b"", b"1")]),
        (b"\n\n\n\ndata: 1\n\n\n\ndata: 2\n\n", [(b"", b"1"), (b"", b"2")]),
        (b"data: 1\n", []),
        (b"data: 1", []),
        (b"event: a\nevent: b\ndata: 1\n\n", [(b"b", b"1")]),
        (b"events: a\ndatum: 1\n\n", []),
    ],
)
def test_stream_is_read_as_the_standard_says(
    stream: bytes, events: list[tuple[bytes, bytes]]
) -> None:
    assert parse(stream) == events == reference(stream)
    assert parse(*(stream[at : at + 1] for at in range(len(stream)))) == events


NEWLINES = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.one_of(
    st.builds(
        bytes.__add__,
        st.sampled_from([b"data: ", b"data:", b"event: ", b"event:", b": ", b"id: ", b"data", b""]),
        st.text("aé😀 :", max_size=6).map(str.encode),
    ),
    st.just(b""),
)
STREAMS = st.builds(
    bytes.__add__,
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(st.builds(bytes.__add__, LINES, NEWLINES), max_size=25).map(b"".join),
)


@given(stream=STREAMS, sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_any_stream_cut_anywhere_gives_the_same_events(stream: bytes, sizes: list[int]) -> None:
    chunks: list[bytes] = []
    rest = stream
    for size in sizes:
        chunks.append(rest[:size])
        rest = rest[size:]
    assert parse(*chunks, rest) == reference(stream)


def test_event_that_never_ends_is_refused() -> None:
    parser = SSEParser(max_event_bytes=10)
    assert parser.feed(b"data: 1\n\ndata: 123") == [(b"", b"1")]
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        parser.feed(b"4567890")
