"""Reads JSON as RFC 8259 means it, without the readings that two parsers would disagree about.

Refused, each with 400 (requirement 46): a name twice in one object, NaN and Infinity, numbers
beyond 64 bits, more than 128 levels, half a surrogate pair, U+0000 (no database keeps it as text),
and bytes that are not UTF-8.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn, cast

import orjson

from homeport.kernel.http.errors import MalformedBody

DEEPEST = 128
SMALLEST_INTEGER = -(2**63)
LARGEST_INTEGER = 2**64 - 1
LONGEST_INTEGER = 20  # digits and a sign; longer ones are not even converted
ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class MalformedJSON(MalformedBody):
    """The body is not JSON that everybody reads alike."""

    code = "request.malformed-json"
    title = "The body is not acceptable JSON"


def check_json(body: bytes) -> None:
    """Passes JSON that has one reading.

    Raises:
        MalformedJSON: It has none, or more than one.
    """
    if ESCAPED_NUL.search(body):
        raise MalformedJSON("The body holds U+0000, which is not text.")
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"Byte {error.start} of the body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedJSON(f"Not JSON at line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise MalformedJSON(f"The body is nested deeper than {DEEPEST} levels.") from error
    if body.count(b"[") + body.count(b"{") > DEEPEST:
        _refuse_depth(value)
    if b"\\u" in body:
        _refuse_half_pairs(body)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise MalformedJSON("An object of the body has a name twice.")
    return made


def _constant(_name: str) -> NoReturn:
    raise MalformedJSON("NaN and Infinity are not JSON.")


def _integer(digits: str) -> int:
    if len(digits) <= LONGEST_INTEGER:
        value = int(digits)
        if SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
            return value
    raise MalformedJSON("An integer of the body does not fit in 64 bits.")


def _float(digits: str) -> float:
    value = float(digits)
    if math.isfinite(value):
        return value
    raise MalformedJSON("A number of the body does not fit in 64 bits.")


def _refuse_depth(value: object) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise MalformedJSON(f"The body is nested deeper than {DEEPEST} levels.")
        level = [child for node in level for child in _containers_in(node)]


def _containers_in(node: object) -> list[object]:
    if isinstance(node, dict):
        children = list(cast("dict[str, object]", node).values())
    elif isinstance(node, list):
        children = cast("list[object]", node)
    else:
        return []
    return [child for child in children if isinstance(child, dict | list)]


def _refuse_half_pairs(body: bytes) -> None:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedJSON("The body holds half a surrogate pair.") from error
