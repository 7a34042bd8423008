"""Anchors: seals in a file outside the database, one JSON line each, only ever appended to.

A chain cannot show that its end was cut off, nor that all of it was written anew by somebody who
had the key. A file that whoever did it could not reach can.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import structlog

from homeport.eventlog.seal import BadAnchor, Seal
from homeport.eventlog.sealer import last_seal, seals_after
from homeport.kernel.db import Database
from homeport.kernel.private_file import make_private

AT_ONCE = 1_000
_TAIL_BYTES = 1 << 14
_logger = structlog.get_logger(__name__)


class AnchorFile:
    """This node's anchors. `copy` is a chore."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: int | None = None

    async def copy(self, database: Database) -> int:
        """Appends the seals that the file does not have; returns how many.

        Raises:
            OSError: The file cannot be written.
            Unavailable: The database is busy or does not answer.
        """
        if self._last is None:
            self._last = await asyncio.to_thread(self._newest)
        async with database.read() as session:
            newest = await last_seal(session)
            seals = await seals_after(session, self._last, limit=AT_ONCE)
        if newest is not None and newest.id < self._last:
            _logger.error("audit.anchor-ahead", anchored=self._last, database=newest.id)
        if seals:
            # Should this fail, the next round looks what is in the file, and mends its end.
            self._last = None
            await asyncio.to_thread(self._append, b"".join([seal.line() for seal in seals]))
            self._last = seals[-1].id
        return len(seals)

    def _newest(self) -> int:
        """The id of the last whole line; a torn one, of a crash, is cut off."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_private(self.path)
        with self.path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            tail = file.read()
            whole = tail.rfind(b"\n") + 1
            if whole < len(tail):
                file.truncate(size - (len(tail) - whole))
        lines = tail[:whole].splitlines()
        return Seal.of_line(lines[-1]).id if lines else 0

    def _append(self, lines: bytes) -> None:
        make_private(self.path)  # somebody may have moved it away meanwhile
        with self.path.open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())


def read_anchors(path: Path) -> list[Seal]:
    """The seals in a file; a last line that is torn is none yet (`AnchorFile` writes it again).

    Raises:
        BadAnchor: A line of it is no seal.
        OSError: It cannot be read.
    """
    *lines, rest = path.read_bytes().split(b"\n")
    seals = [Seal.of_line(line) for line in lines if line.strip()]
    try:
        return [*seals, Seal.of_line(rest)] if rest.strip() else seals
    except BadAnchor:
        if not seals:
            raise  # it is something else
        return seals
