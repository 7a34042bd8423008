"""Cursors carry keys there and back, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kernel.http.pagination import (
    MAX_OFFSET,
    BadCursor,
    PageRequest,
    UseCursor,
    decode_cursor,
    encode_cursor,
    page_request,
    paginate,
)

keys = st.tuples(
    st.datetimes(timezones=st.just(UTC)),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers(-(2**53), 2**53),
)


@given(keys)
def test_cursor_when_decoded_then_the_keys_are_the_same(
    given_keys: tuple[datetime, str, int],
) -> None:
    assert decode_cursor(encode_cursor(*given_keys), (datetime, str, int)) == given_keys


@given(st.text(max_size=60))
def test_cursor_when_it_is_anything_then_it_is_refused_or_read(cursor: str) -> None:
    try:
        found = decode_cursor(cursor, (str, int))
    except BadCursor:
        return
    assert [type(key) for key in found] == [str, int]


@pytest.mark.parametrize(
    "cursor",
    [
        encode_cursor("a"),
        encode_cursor("a", "b", "c"),
        encode_cursor(1, "b"),
        encode_cursor("2026-11-23T00:00:00", "b"),
        "",
        "e30",
        "%%%",
    ],
)
def test_after_when_the_cursor_is_of_another_list_then_it_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        PageRequest(cursor=cursor).after(datetime, str)


async def test_offset_when_beyond_ten_thousand_then_a_cursor_is_asked_for() -> None:
    assert (await page_request(offset=MAX_OFFSET)).skip == MAX_OFFSET
    with pytest.raises(UseCursor) as refusal:
        await page_request(offset=MAX_OFFSET + 1)
    assert refusal.value.code == "page.use-cursor"


def test_pages_when_followed_then_every_row_is_seen_once() -> None:
    rows = [f"row-{number:03}" for number in range(25)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        request = PageRequest(limit=10, cursor=cursor)
        after = request.after(str, str)
        rest = [row for row in rows if after is None or row > after[0]]
        page = paginate(request, rest[:11], total=25, key=lambda row: (row, row))
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == rows
    assert page.fields() == {
        "total": 25,
        "limit": 10,
        "offset": 0,
        "next_cursor": None,
        "total_capped": False,
    }
