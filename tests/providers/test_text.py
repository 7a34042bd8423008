"""What leaves the filter is Unicode text, and nothing that was text is lost."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from homeport.providers.text import TextFilter, clean, clean_json


def test_pair_cut_between_two_deltas_is_joined() -> None:
    sieve = TextFilter()
    assert [sieve.feed("a\ud83d"), sieve.feed("\ude00b"), sieve.finish()] == ["a", "😀b", ""]


def test_high_surrogate_whose_pair_never_comes_is_replaced() -> None:
    sieve = TextFilter()
    assert [sieve.feed("\ud83d"), sieve.feed("b"), sieve.finish()] == ["", "\ufffdb", ""]
    assert [sieve.feed("\ud83d"), sieve.finish(), sieve.finish()] == ["", "\ufffd", ""]


def test_low_surrogate_alone_and_nul_are_replaced() -> None:
    assert TextFilter().feed("a\ude00\0é") == "a\ufffd\ufffdé"
    assert TextFilter().feed("\0") == "\ufffd"


def reference(text: str) -> str:
    """Joins pairs and replaces the rest, code unit by code unit."""
    out, rest = "", text.replace("\0", "\ufffd")
    while rest:
        first, second = rest[0], rest[1:2]
        if "\ud800" <= first <= "\udbff" and second and "\udc00" <= second <= "\udfff":
            out += (first + second).encode("utf-16", "surrogatepass").decode("utf-16")
            rest = rest[2:]
        else:
            out += "\ufffd" if "\ud800" <= first <= "\udfff" else first
            rest = rest[1:]
    return out


TEXTS = st.text(st.sampled_from("aé😀\0\ud83d\ude00\udbff\udc00\ud800"), max_size=8)


@given(st.lists(TEXTS, max_size=8))
def test_deltas_cut_anywhere_make_the_text_that_one_delta_makes(deltas: list[str]) -> None:
    sieve = TextFilter()
    sent = [*(sieve.feed(delta) for delta in deltas), sieve.finish()]
    assert "".join(sent) == reference("".join(deltas)) == clean("".join(deltas))
    for text in sent:
        text.encode()


def test_json_is_cleaned_to_its_leaves_and_its_names() -> None:
    value = json.loads(r'{"a\ud83d": ["\ud83d", {"b": "\u0000"}, 1, null]}')
    assert clean_json(value) == {"a\ufffd": ["\ufffd", {"b": "\ufffd"}, 1, None]}
