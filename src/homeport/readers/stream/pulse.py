"""What every open line needs from time to time, by one timer for all of them.

A line that was silent for 15 s says that it is alive; one that does not take what it is sent while
the stream moves on is dropped; one whose caller may no longer look is ended; all of them are told
when the server is about to go. A line is cut only where its reader can resume.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from enum import StrEnum

import structlog

from homeport.identity.access import Caller, Callers
from homeport.kernel.errors import Unavailable
from homeport.kernel.http.draining import Draining
from homeport.readers.stream.reader import Reader

TICK_S = 1.0
HEARTBEAT_TICKS = 15
MOST_BEHIND = 256 * 1024
CHECKERS = 8
_logger = structlog.get_logger(__name__)


class End(StrEnum):
    """Why a line ended before its stream did."""

    GONE = "gone"
    """The client went away."""
    REVOKED = "revoked"
    """The caller's credential is worth nothing any more, or nobody can say."""
    BEHIND = "behind"
    """The client reads too slowly."""
    DRAINING = "draining"
    """The server is about to go."""


class Line:
    """One open line: a reader, whom it reads for, and how it stands.

    Attributes:
        end: Why it is over; None while it is not.
        quiet: Ticks since something was sent.
        sending: The stream's volume when the send that is under way began; None between sends.
        sender: The task that sends.
    """

    __slots__ = ("caller", "end", "quiet", "reader", "sender", "sending")

    def __init__(self, reader: Reader, caller: Caller) -> None:
        self.reader = reader
        self.caller = caller
        self.end: End | None = None
        self.quiet = 0
        self.sending: int | None = None
        self.sender: asyncio.Task[None] | None = None

    @property
    def due(self) -> bool:
        """Whether it was silent for so long that it must say something."""
        return self.quiet >= HEARTBEAT_TICKS

    def tick(self) -> None:
        """Lets one second pass."""
        if self.sending is not None:
            if self.reader.volume - self.sending > MOST_BEHIND:
                self.finish(End.BEHIND)
            return
        self.quiet += 1
        if self.due:
            self.reader.wake()

    def finish(self, end: End) -> None:
        """Ends the line; one that is stuck in a send is torn out of it."""
        if self.end is not None:
            return
        self.end = end
        if self.sending is not None and self.sender is not None:
            self.sender.cancel()
        self.reader.wake()


class Pulse:
    """The timer. `run` is a chore of the process."""

    def __init__(self, callers: Callers, draining: Draining) -> None:
        self._callers = callers
        self._draining = draining
        self._lines: dict[Caller, set[Line]] = {}

    @property
    def draining(self) -> bool:
        """Whether the server is about to go."""
        return self._draining.begun

    @contextmanager
    def line(self, reader: Reader, caller: Caller) -> Generator[Line]:
        """An open line for as long as the block lasts."""
        line = Line(reader, caller)
        if self._draining.begun:
            line.finish(End.DRAINING)
        self._lines.setdefault(caller, set()).add(line)
        try:
            yield line
        finally:
            lines = self._lines[caller]
            lines.discard(line)
            if not lines:
                del self._lines[caller]

    def __len__(self) -> int:
        """How many lines are open."""
        return sum(len(lines) for lines in self._lines.values())

    async def run(self) -> None:
        """Beats for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat_on(), name="pulse.beat")
            group.create_task(self._check_on(), name="pulse.check")
            group.create_task(self._drain(), name="pulse.drain")

    def beat(self) -> None:
        """One second passed."""
        for line in self._open():
            line.tick()

    async def check(self) -> None:
        """Ends the lines of callers who may no longer look; where nobody can say, they may not."""
        callers = iter(list(self._lines))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(CHECKERS, len(self._lines))):
                group.create_task(self._check_each(callers))

    async def _check_each(self, callers: Iterator[Caller]) -> None:
        for caller in callers:
            try:
                valid = await self._callers.still_valid(caller)
            except Unavailable as error:
                _logger.warning("streams.caller-unknown", user=caller.user_id, code=error.code)
                valid = False
            if not valid:
                for line in list(self._lines.get(caller, ())):
                    line.finish(End.REVOKED)

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.beat()

    async def _check_on(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self.check()

    async def _drain(self) -> None:
        await self._draining.wait()
        for line in self._open():
            line.finish(End.DRAINING)

    def _open(self) -> list[Line]:
        return [line for lines in self._lines.values() for line in lines]
