"""Reads some lines of a file of any size, with lines of any length, in bounded memory and time."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from homeport.files.errors import FileTooLarge
from homeport.kernel import clock

PIECE = 64 << 10
LINE_CHARACTERS = 2_000
LINE_BYTES = LINE_CHARACTERS * 4
WINDOW_CHARACTERS = 60_000
COUNTED_BYTES = 64 << 20
"""Lines of longer files are not counted to the end."""
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Window:
    """Some lines of a file.

    Attributes:
        lines: Their text, each at most 2,000 characters and a note.
        following: The number of the line after them; None when they are the last.
        total: Lines of the file, where they were counted.
    """

    lines: list[str]
    following: int | None
    total: int | None


def window(file: BinaryIO, *, first: int, limit: int, size: int) -> Window:
    """At most `limit` lines from line `first` (from 1), and no more than 60,000 characters.

    Raises:
        FileTooLarge: The line lies too far into a huge file to be reached in time, or is huge.
    """
    deadline = clock.monotonic() + SECONDS
    lines: list[str] = []
    characters, number, more = 0, 0, False
    for number, (begin, length) in enumerate(_lines(file, deadline), 1):
        if number < first:
            if number % 10_000 == 0 and clock.monotonic() > deadline:
                raise FileTooLarge(
                    f"Line {first} lies too far into this file of {size} bytes; it is not at line "
                    f"{number} after {SECONDS:g} s.",
                    param="offset",
                )
            continue
        text = _text(begin, length)
        if len(lines) == limit or (lines and characters + len(text) > WINDOW_CHARACTERS):
            more = True
            break
        lines.append(text)
        characters += len(text)
    if not more:
        return Window(lines, None, number)
    total = number + _remaining(file) if size <= COUNTED_BYTES else None
    return Window(lines, first + len(lines), total)


def _lines(file: BinaryIO, deadline: float) -> Iterator[tuple[bytes, int]]:
    """(beginning, length in bytes) of each line."""
    while piece := file.readline(PIECE):
        begin, length = piece[:LINE_BYTES], len(piece)
        while not piece.endswith(b"\n") and (piece := file.readline(PIECE)):
            length += len(piece)
            if clock.monotonic() > deadline:
                raise FileTooLarge(f"A line has more than {length} bytes.", param="file_path")
        yield begin, length


def _remaining(file: BinaryIO) -> int:
    """Lines from here to the end."""
    count, last = 0, b"\n"
    while piece := file.read(1 << 20):
        count += piece.count(b"\n")
        last = piece[-1:]
    return count + (last != b"\n")


def _text(begin: bytes, length: int) -> str:
    whole = length <= len(begin)
    decoded = codecs.getincrementaldecoder("utf-8")("replace").decode(begin, final=whole)
    text = decoded.removesuffix("\n").removesuffix("\r") if whole else decoded
    if whole and len(text) <= LINE_CHARACTERS:
        return text
    return f"{text[:LINE_CHARACTERS]} [... line cut here: it has {length} bytes]"
