"""Writes down what a call shows of itself while it is being made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import structlog

from homeport.dispatch import LeaseLost
from homeport.eventlog.catalogue.tool import ToolProgressed
from homeport.kernel import clock
from homeport.kernel.db.failures import DatabaseBusy, DatabaseUnreachable
from homeport.kernel.errors import StorageFull
from homeport.runs.job import Job
from homeport.tools.progress import Piece, Progress, pause_s

_logger = structlog.get_logger(__name__)


@asynccontextmanager
async def shown(
    job: Job, *, call_id: str, tool: str
) -> AsyncGenerator[Callable[[bytes], None], None]:
    """Yields what takes the call's output; pieces of it are appended until the block ends.

    Its end waits for the piece that is being written and writes no further one: the result comes.
    """
    progress, over = Progress(), asyncio.Event()
    writing = asyncio.create_task(_write(job, progress, over, call_id=call_id, tool=tool))
    try:
        yield progress.feed
    finally:
        over.set()
        await writing


async def _write(
    job: Job, progress: Progress, over: asyncio.Event, *, call_id: str, tool: str
) -> None:
    begun = clock.monotonic()
    while not await _comes(over, within_s=pause_s(clock.monotonic() - begun)):
        piece = progress.take()
        if piece is None:
            continue
        try:
            await _append(job, piece, call_id=call_id, tool=tool)
        except LeaseLost:
            return  # whoever has the run now shows what there is to show
        except (DatabaseBusy, DatabaseUnreachable, StorageFull) as error:
            # A preview is not worth a run: the next piece's offset tells of the gap.
            _logger.warning("tool.piece-lost", run_id=job.claim.run_id, code=error.code)
        except Exception:
            # Raised, it would take the place of the result of a call that took effect.
            _logger.exception("tool.pieces-ended", run_id=job.claim.run_id)
            return


async def _comes(event: asyncio.Event, *, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            return await event.wait()
    except TimeoutError:
        return False


async def _append(job: Job, piece: Piece, *, call_id: str, tool: str) -> None:
    claim = job.claim
    event = ToolProgressed(
        run_id=claim.run_id,
        turn=job.state.turn,
        call_id=call_id,
        tool=tool,
        offset=piece.offset,
        text=piece.text,
        last=piece.last,
    )
    async with job.step() as step:
        step.unit.append(claim.stream, event, actor=claim.actor)
