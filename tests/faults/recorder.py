"""Writes a history while it happens; `faults.checker.history` says what its lines mean."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import orjson

TESTS = Path(__file__).parents[1]
JUDGE_S = 120


class Recorder:
    """A history's one writer: lines stand in the order in which this process saw things.

    A file without its last line, which `finish` writes, is no whole history.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def number(self) -> int:
        """One that no other request and no other connection has."""
        return next(self._numbers)

    def note(self, what: str, **members: Any) -> None:
        """One line."""
        line = {"what": what, "at": time.time_ns() // 1_000_000, **members}
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def finish(self) -> None:
        """The history is whole."""
        self.note("done")
        self._file.flush()


def judged(path: Path) -> dict[str, Any]:
    """What the checker, a program of its own, says that the history has seen.

    Raises:
        AssertionError: It found something, or could not judge; its words.
    """
    command = [sys.executable, "-m", "faults.checker", str(path)]
    ended = subprocess.run(
        command, cwd=TESTS, capture_output=True, text=True, timeout=JUDGE_S, check=False
    )
    assert ended.returncode == 0, f"{path}\n{ended.stdout[-6_000:]}\n{ended.stderr[-2_000:]}"
    return json.loads(ended.stdout.splitlines()[-1])
