from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from homeport.tools.progress import (
    CALL_CHARACTERS,
    PIECE_CHARACTERS,
    Piece,
    Progress,
    pause_s,
)


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=200),
)
def test_pieces_when_output_is_cut_anywhere_then_they_join_to_the_text(
    text: str, cuts: list[int]
) -> None:
    progress, data, shown = Progress(), text.encode(), ""
    for size in cuts:
        progress.feed(data[:size])
        data = data[size:]
        piece = progress.take()
        if piece is not None:
            assert piece.offset == len(shown)
            shown += piece.text
    progress.feed(data)
    rest = progress.take()
    assert shown + (rest.text if rest else "") == text


def test_piece_when_much_comes_at_once_then_it_is_the_end_of_it_and_tells_the_gap() -> None:
    progress = Progress()
    progress.feed(b"x" * 100_000 + b"end")
    piece = progress.take()
    assert piece is not None
    assert (piece.offset, len(piece.text)) == (100_003 - PIECE_CHARACTERS, PIECE_CHARACTERS)
    assert piece.text.endswith("end")
    assert progress.take() is None


def test_pieces_when_output_is_no_text_then_they_can_be_stored() -> None:
    progress = Progress()
    progress.feed(b"a\0b\xff\xed\xa0\x80")
    assert progress.take() == Piece(0, "a\ufffdb\ufffd\ufffd\ufffd\ufffd", last=False)


def test_pieces_when_a_call_writes_for_ever_then_they_end() -> None:
    progress, shown = Progress(), list[Piece]()
    for _ in range(1_000):
        progress.feed(b"x" * 10_000)
        piece = progress.take()
        shown += [piece] if piece else []
    assert sum(len(piece.text) for piece in shown) == CALL_CHARACTERS
    assert [piece.last for piece in shown] == [False] * (len(shown) - 1) + [True]


def test_pause_when_a_call_takes_its_ten_minutes_then_there_are_few_pieces() -> None:
    taken, pieces = 0.0, 0
    while taken < 600:
        taken += pause_s(taken)
        pieces += 1
    assert pieces < 150
