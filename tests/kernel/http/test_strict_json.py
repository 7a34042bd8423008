"""One reading or none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kernel.http.strict_json import DEEPEST, MalformedJSON, check_json

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=30,
)


@given(document=documents, escape=st.booleans())
def test_check_json_when_the_document_is_ordinary_then_it_passes(
    *, document: object, escape: bool
) -> None:
    check_json(json.dumps(document, ensure_ascii=escape).encode())


@given(st.binary(max_size=200))
def test_check_json_when_the_bytes_are_anything_then_it_passes_or_refuses(body: bytes) -> None:
    try:
        check_json(body)
    except MalformedJSON:
        return
    json.loads(body)


@pytest.mark.requirement("46")
@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b'[{"x": {"a": 1, "a": 1}}]',
        b'{"a": NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e999]",
        b"[18446744073709551616]",
        b"[-9223372036854775809]",
        b"[" + b"9" * 100_000 + b"]",
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
        b'["\\ud800"]',
        b'["\\udc00\\ud800"]',
        b'["\\uD83D x"]',
        b'{"\\ud800": 1}',
        b'["\\u0000"]',
        b'["\\\\\\u0000"]',
        b'["\xff"]',
        b'["\xed\xa0\x80"]',
        b"\xef\xbb\xbf[]",
        b"{",
        b"",
        b"[1,]",
    ],
)
def test_check_json_when_two_parsers_would_disagree_then_it_refuses(body: bytes) -> None:
    with pytest.raises(MalformedJSON):
        check_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b'["\\ud83d\\ude00", "\\\\u0000", "\\\\\\\\u0000", "\\u00e9"]',
        b"[18446744073709551615, -9223372036854775808, -0, 1e308]",
        b"[" * DEEPEST + b"]" * DEEPEST,
        b"[" + b"{}," * 1000 + b"{}]",
    ],
)
def test_check_json_when_it_is_only_near_a_limit_then_it_passes(body: bytes) -> None:
    check_json(body)
