"""Matches a regular expression in a process that can be killed.

Python's `re` backtracks and holds the interpreter while it does, so a pattern like `(a+)+$` from
the model would stop every stream of the server; others fill the memory. The process has limits on
wall clock, CPU time and, on Linux, address space; what it says is read hit by hit, each of bounded
size. No text of a workspace is executed there.

A library whose matching time is linear (RE2) would need no process, but knows neither look-around
nor back-references, and is an extension without types.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from homeport.files import match_worker
from homeport.files.errors import BadPattern, PatternTooSlow

MAX_PATTERN = 4_096
MEMORY_BYTES = 512 << 20
LINE_CHARACTERS = 2_000
"""Longer lines are cut in answers; they are matched whole."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One line that fits; `line` counts from 1."""

    line: int
    text: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Matcher:
    """A child process that matches one pattern against contents.

    Args:
        pattern: The regular expression.
        ignore_case: Upper and lower case alike.
        before: Lines shown before a hit.
        after: Lines shown after a hit.
        per_file: Hits per content at most.
        seconds: Wall clock until the process is killed.
        memory_bytes: Address space of the process.
    """

    def __init__(
        self,
        pattern: str,
        *,
        ignore_case: bool,
        before: int,
        after: int,
        per_file: int,
        seconds: float,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        if not pattern or len(pattern) > MAX_PATTERN:
            raise BadPattern(f"A pattern has 1 to {MAX_PATTERN} characters.", param="pattern")
        self._order = {
            "pattern": pattern,
            "ignore_case": ignore_case,
            "before": before,
            "after": after,
            "per_file": per_file,
            "line_characters": LINE_CHARACTERS,
            "memory_bytes": memory_bytes,
            "cpu_seconds": math.ceil(seconds) + 1,
        }
        # A character is at most twelve bytes of JSON; the numbers and brackets are few.
        self._line_bytes = (1 + before + after) * (LINE_CHARACTERS * 12 + 8) + 64
        self._seconds = seconds
        self._memory_bytes = memory_bytes

    def __enter__(self) -> Self:
        """Starts the process.

        Raises:
            BadPattern: The expression does not compile.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-W", "ignore", str(Path(match_worker.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
        )
        self._late = False
        self._timer = threading.Timer(self._seconds, self._kill)
        self._timer.daemon = True
        self._timer.start()
        try:
            self._ask(json.dumps(self._order).encode())
            self._hear()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the process, whatever it is doing."""
        self._end()

    def hits(self, contents: Sequence[bytes]) -> Iterator[tuple[int, Hit]]:
        """The lines that fit, each with the index of its content, in order.

        Many small contents at once spare as many switches between the two processes. To be read to
        its end before more is asked.

        Raises:
            PatternTooSlow: The process ran out of time or memory.
        """
        self._ask(b"".join(_frame(content) for content in contents))
        for index in range(len(contents)):
            while (hit := self._hear()) is not None:
                line, text, before, after = hit
                yield index, Hit(line, text, tuple(before), tuple(after))

    def _ask(self, frame: bytes) -> None:
        """The worker reads all of it before it answers."""
        question, _ = self._pipes()
        try:
            question.write(_frame(frame))
            question.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _hear(self) -> list[Any] | None:
        """The next hit; None behind the last one of a content."""
        _, answers = self._pipes()
        line = answers.readline(self._line_bytes)
        if not line.endswith(b"\n"):
            raise self._ended()
        answer: Any = json.loads(line)
        if not isinstance(answer, dict):
            return answer
        if answer["error"] == "pattern":
            raise BadPattern(f"Not a regular expression: {answer['detail']}", param="pattern")
        raise PatternTooSlow(
            f"The search needed more than {self._memory_bytes >> 20} MiB; use a simpler pattern.",
            param="pattern",
        )

    def _kill(self) -> None:
        self._late = True
        self._process.kill()

    def _ended(self) -> PatternTooSlow:
        when = f"was ended after {self._seconds:g} s" if self._late else "broke down"
        return PatternTooSlow(
            f"The search {when}; use a simpler pattern or fewer files.", param="pattern"
        )

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the matcher was started without pipes")
        return self._process.stdin, self._process.stdout

    def _end(self) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        for pipe in self._pipes():
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # what was not yet sent is of no interest any more


def _frame(content: bytes) -> bytes:
    """Eight bytes of length (big-endian), then the content."""
    return len(content).to_bytes(8, "big") + content
