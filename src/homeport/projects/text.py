"""Text and JSON that every database can keep: valid Unicode without NUL, of bounded size."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import AfterValidator

JSON_BYTES = 16 << 10
JSON_DEPTH = 32


def _plain(text: str) -> str:
    if "\x00" in text:
        raise ValueError("a NUL cannot be kept")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("this is not valid Unicode") from None
    return text


def _bounded(document: dict[str, Any]) -> dict[str, Any]:
    _check(document, JSON_DEPTH)
    try:
        size = len(json.dumps(document, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        raise ValueError("NaN and infinity are not JSON") from None
    if size > JSON_BYTES:
        raise ValueError(f"more than {JSON_BYTES} bytes")
    return document


def _check(value: object, depth: int) -> None:
    if depth == 0:
        raise ValueError(f"nested deeper than {JSON_DEPTH}")
    if isinstance(value, str):
        _plain(value)
    elif isinstance(value, Mapping):
        for key, member in cast("Mapping[str, object]", value).items():
            _plain(key)
            _check(member, depth - 1)
    elif isinstance(value, Sequence):
        for member in cast("Sequence[object]", value):
            _check(member, depth - 1)


plain_text = AfterValidator(_plain)
"""Annotates a `str`."""

plain_document = AfterValidator(_bounded)
"""Annotates a `dict`: the free-form JSON that a client keeps with us."""
