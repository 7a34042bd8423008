"""Long-poll: a reader's frames as one JSON answer, for clients that can do nothing better."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from homeport.identity.errors import CredentialRefused
from homeport.readers.stream.errors import ServerDraining
from homeport.readers.stream.frame import Frame
from homeport.readers.stream.pulse import End, Line

ANSWER_BYTES = 1 << 20
LATEST_RETURN_S = 3
"""Within so many seconds every client picks its moment to come back after a restart."""


async def answer(line: Line, *, limit: int, wait_s: float) -> bytes:
    """`{"events": [...], "cursor": ...}`: what is known, or the first that comes within `wait_s`.

    Args:
        limit: Frames at most; about 1 MiB of them at most, too.
        wait_s: Seconds to wait while there is nothing; an empty answer is an answer.

    Raises:
        CredentialRefused: The caller was refused meanwhile.
        ServerDraining: There is nothing, and nothing is waited for any more. (At once and empty, it
            would be asked again at once, by everybody, for as long as the drain takes.)
        Unavailable: The database does not answer.
    """
    draining = line.end is End.DRAINING
    frames = await _first(line, asyncio.get_running_loop().time() + wait_s)
    if draining and wait_s and not frames:
        raise ServerDraining(retry_after=random.randint(1, LATEST_RETURN_S))  # noqa: S311 - no secret
    size = sum(len(frame.data) for frame in frames)
    while frames and len(frames) < limit and size < ANSWER_BYTES:
        more = await line.reader.ready()
        if not more:
            break
        frames = [*frames, *more]
        size += sum(len(frame.data) for frame in more)
    cursor = frames[limit - 1].cursor if len(frames) > limit else line.reader.cursor
    events = b",".join([frame.data for frame in frames[:limit]])
    return b'{"events":[%b],"cursor":"%b"}' % (events, cursor.encode())


async def _first(line: Line, deadline: float) -> Sequence[Frame]:
    while True:
        frames = await line.reader.ready()
        if line.end is End.REVOKED:
            raise CredentialRefused
        if frames or line.end is not None:
            return frames
        try:
            async with asyncio.timeout_at(deadline):
                await line.reader.wait()
        except TimeoutError:
            return []
