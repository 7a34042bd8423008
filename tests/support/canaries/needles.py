"""Looks for many secrets at once, in every form in which one could lie about.

A form of 15 bytes or more has 8 bytes in it that begin at a multiple of 8, wherever it stands. So
what is searched is read once, 8 bytes at a time, however many secrets there are; only where such
8 bytes are known is a whole form looked for.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from support.canaries.seen import SHORTEST, Secret

WORD: Final = 8
LEAST: Final = 2 * WORD - 1
"""Bytes of a form that has a whole word in it wherever it begins."""
AS_IT_IS: Final = "as it is"
VARIETY: Final = 5
"""Different bytes of what does not stand everywhere."""
BASE64_SECRET = re.compile(rb"[\w-]{43}", re.ASCII)
BASE32_SECRET = re.compile(rb"[A-Z2-7]{32,}")
_TOKEN = re.compile(rb"ey[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_MARKED = re.compile(rb"hp[a-z]_(?:[0-9a-f]{32}\.)?([\w-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Needle:
    """One form of a secret: `form` is its name, `kind` that of the secret."""

    kind: str
    form: str
    text: bytes


def forms(secret: Secret) -> Iterator[Needle]:
    """Every form of a secret that is looked for, each once; of a short one (a code) only itself."""
    known: set[bytes] = set()
    for part in _parts(secret.value):
        if len(set(part)) < VARIETY:
            continue  # a made-up one, of nothing but zeros
        for name, text in _encodings(part):
            least = SHORTEST if name == AS_IT_IS else LEAST
            if len(text) >= least and text not in known:
                known.add(text)
                yield Needle(secret.kind, name, text)


class Haystack:
    """Looks for these secrets in whatever it is given."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._long: dict[int, list[Needle]] = defaultdict(list)
        self._short: list[Needle] = []
        for needle in {each for secret in secrets for each in forms(secret)}:
            if len(needle.text) < LEAST:
                self._short.append(needle)
                continue
            # The end: many credentials begin alike.
            end = needle.text[-LEAST:]
            for start in range(WORD):
                word = int.from_bytes(end[start : start + WORD], sys.byteorder)
                self._long[word].append(needle)
        self._words = frozenset(self._long)

    def found_in(self, content: bytes) -> set[Needle]:
        """The forms that stand in `content`."""
        with memoryview(content) as whole, whole[: len(content) & -WORD] as even:
            words = even.cast("Q")
            suspected = self._words.intersection(words)
            words.release()
        likely = {needle for word in suspected for needle in self._long[word]}
        return {each for each in (*likely, *self._short) if content.find(each.text) >= 0}


def _parts(value: bytes) -> list[bytes]:
    """What of a secret is secret by itself, in the spellings that mean the same."""
    if _TOKEN.fullmatch(value):
        return value.split(b".")[1:]  # the head is the same in all of them
    if marked := _MARKED.fullmatch(value):
        return [marked[1], _decoded(marked[1], base64.urlsafe_b64decode)]
    parts = [value]
    if b"-" in value:
        parts.append(value.replace(b"-", b""))
    if BASE32_SECRET.fullmatch(value):
        parts.append(_decoded(value, base64.b32decode))
    elif BASE64_SECRET.fullmatch(value):
        parts.append(_decoded(value, base64.urlsafe_b64decode))
    return parts


def _decoded(text: bytes, decode: Callable[[bytes], bytes]) -> bytes:
    try:
        return decode(text + b"=" * (-len(text) % (8 if decode is base64.b32decode else 4)))
    except binascii.Error:
        return b""


def _encodings(part: bytes) -> Iterator[tuple[str, bytes]]:
    yield AS_IT_IS, part
    yield "hexadecimal", part.hex().encode()
    yield "hexadecimal", part.hex().upper().encode()
    for skipped in range(3):
        # What stands before a secret shifts its base64, and takes part in its first character.
        shifted = base64.b64encode(bytes(skipped) + part)
        first = -(-skipped * 8 // 6)
        inner = shifted[first : (skipped + len(part)) * 8 // 6]
        yield "base64", inner
        yield "base64url", inner.translate(bytes.maketrans(b"+/", b"-_"))
    text = part.decode("utf-8", "replace")
    if text.encode() == part:
        yield "percent-encoded", quote(text, safe="").encode()
        yield "in JSON", json.dumps(text)[1:-1].encode()
        yield "UTF-16", text.encode("utf-16-le")
