"""What every open line needs from time to time, by one timer for all of them.

A line that was silent for 15 s says that it is alive; one that does not take what it is sent while
the stream moves on is dropped; one whose caller may no longer look is ended; all of them are told
when the server is about to go. A line is cut only where its reader can resume.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from homeport.identity.access import Caller, Callers
from homeport.kernel.errors import HomeportError
from homeport.kernel.http.draining import Draining
from homeport.readers.stream.errors import TooManyStreams
from homeport.readers.stream.reader import Reader

TICK_S = 1.0
HEARTBEAT_TICKS = 15
MOST_BEHIND = 256 * 1024
CHECKERS = 8
STREAMS_PER_USER = 2_000
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
    CUT = "cut"
    """The database does not answer."""


class Watch:
    """Whoever was let in for longer than a request.

    Attributes:
        end: Why it is over; None while it is not.
    """

    __slots__ = ("caller", "end")

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.end: End | None = None

    def tick(self) -> None:
        """Lets one second pass."""

    def finish(self, end: End) -> None:
        """Ends it; the first reason counts."""
        if self.end is None:
            self.end = end


class Line(Watch):
    """One open line: a reader, whom it reads for, and how it stands.

    Attributes:
        quiet: Ticks since something was sent.
        sending: The stream's volume when the send that is under way began; None between sends.
        sender: The task that sends.
    """

    __slots__ = ("quiet", "reader", "sender", "sending")

    def __init__(self, reader: Reader, caller: Caller) -> None:
        super().__init__(caller)
        self.reader = reader
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


W = TypeVar("W", bound=Watch)


class Pulse:
    """The timer. `run` is a chore of the process.

    Args:
        per_user: Streams and long-polls of one user at once, on this node.
    """

    def __init__(
        self, callers: Callers, draining: Draining, *, per_user: int = STREAMS_PER_USER
    ) -> None:
        self._callers = callers
        self._draining = draining
        self._per_user = per_user
        self._seated: Counter[str] = Counter()
        self._watches: dict[Caller, set[Watch]] = {}

    @contextmanager
    def seat(self, caller: Caller) -> Generator[None]:
        """A place for one more stream or long-poll of the caller's, while the block lasts.

        Raises:
            TooManyStreams: The user has as many as one may.
        """
        user = caller.user_id
        if self._seated[user] >= self._per_user:
            raise TooManyStreams(f"One user has {self._per_user} open at most.", retry_after=1)
        self._seated[user] += 1
        try:
            yield
        finally:
            self._seated[user] -= 1
            if not self._seated[user]:
                del self._seated[user]

    def line(self, reader: Reader, caller: Caller) -> AbstractContextManager[Line]:
        """An open line for as long as the block lasts."""
        return self.watched(Line(reader, caller))

    @contextmanager
    def watched(self, watch: W) -> Generator[W]:
        """Ends `watch` when its caller is refused or the server goes, while the block lasts."""
        caller = watch.caller
        if self._draining.begun:
            watch.finish(End.DRAINING)
        self._watches.setdefault(caller, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[caller]
            watches.discard(watch)
            if not watches:
                del self._watches[caller]

    def __len__(self) -> int:
        """How many are watched."""
        return sum(len(watches) for watches in self._watches.values())

    async def run(self) -> None:
        """Beats for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat_on(), name="pulse.beat")
            group.create_task(self._check_on(), name="pulse.check")
            group.create_task(self._drain(), name="pulse.drain")

    def beat(self) -> None:
        """One second passed."""
        for watch in self._open():
            watch.tick()

    async def check(self) -> None:
        """Ends what is watched of callers who are refused; where nobody can say, they are."""
        callers = iter(list(self._watches))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(CHECKERS, len(self._watches))):
                group.create_task(self._check_each(callers))

    async def _check_each(self, callers: Iterator[Caller]) -> None:
        for caller in callers:
            try:
                valid = await self._callers.still_valid(caller)
            except (HomeportError, SQLAlchemyError, OSError) as error:
                _logger.warning("streams.caller-unknown", user=caller.user_id, error=repr(error))
                valid = False
            if not valid:
                for watch in list(self._watches.get(caller, ())):
                    watch.finish(End.REVOKED)

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
        for watch in self._open():
            watch.finish(End.DRAINING)

    def _open(self) -> list[Watch]:
        return [watch for watches in self._watches.values() for watch in watches]
