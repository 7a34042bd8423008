"""Kills the server that imports it, once the file at `FALL_AT` says before which statement.

Python imports a module of this name when it starts (`site`); the server knows nothing of it. The
file holds a number n >= 1 and is taken away when it is read; from then on the n-th statement or
commit, of whichever connection, is not made: the process is killed (SIGKILL) right before it.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine


class Fall:
    """Counts what the process asks of its database."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._left: int | None = None

    def step(self, *_: object) -> None:
        """One more statement, or commit."""
        if self._left is None:
            try:
                self._left = int(self._file.read_text())
            except FileNotFoundError:
                return
            self._file.unlink()
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if path := os.environ.get("FALL_AT"):  # noqa: TID251 - not the server's
    fall = Fall(Path(path))
    event.listen(Engine, "before_cursor_execute", fall.step)
    event.listen(Engine, "commit", fall.step)
