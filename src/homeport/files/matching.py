"""Matches a regular expression in a process that can be killed.

Python's `re` backtracks and holds the interpreter while it does, so a pattern like `(a+)+$` from
the model would stop every stream of the server. No text of a workspace is executed there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
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
    """A child process that matches one pattern against one content after the other.

    Args:
        pattern: The regular expression.
        ignore_case: Upper and lower case alike.
        before: Lines shown before a hit.
        after: Lines shown after a hit.
        per_file: Hits per content at most.
        seconds: Wall clock until the process is killed.
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
            "memory_bytes": MEMORY_BYTES,
        }
        self._seconds = seconds

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
        self._timer = threading.Timer(self._seconds, self._process.kill)
        self._timer.daemon = True
        self._timer.start()
        try:
            self._agree(self._ask(json.dumps(self._order).encode()))
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

    def _agree(self, answer: dict[str, Any]) -> None:
        if "error" in answer:
            raise BadPattern(f"Not a regular expression: {answer['error']}", param="pattern")

    def hits(self, data: bytes) -> list[Hit]:
        """The lines of `data` that fit.

        Raises:
            PatternTooSlow: The process ran out of time or memory.
        """
        return [
            Hit(line, text, tuple(before), tuple(after))
            for line, text, before, after in self._ask(data)["hits"]
        ]

    def _ask(self, frame: bytes) -> dict[str, Any]:
        """One frame there, one line back; the worker reads all of the first before it answers."""
        question, answers = self._pipes()
        try:
            question.write(len(frame).to_bytes(8, "big"))
            question.write(frame)
            question.flush()
            line = answers.readline()
        except BrokenPipeError:
            line = b""
        if not line.endswith(b"\n"):
            raise PatternTooSlow(
                f"The search was ended after {self._seconds:g} s or {MEMORY_BYTES >> 20} MiB; "
                "use a simpler pattern or fewer files.",
                param="pattern",
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

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
