"""Stops runs: at once when nobody holds them, through their node when one does."""

from __future__ import annotations

from homeport.dispatch import queue
from homeport.dispatch.models import RunRow
from homeport.eventlog import Unit
from homeport.eventlog.catalogue.run import RunStopRequested
from homeport.sessions.access import stream_of
from homeport.sessions.errors import RunOver
from homeport.sessions.models import SessionRow
from homeport.sessions.service.conclude import end_record, fold


async def stop_run(unit: Unit, row: SessionRow, run_id: str, *, actor: str) -> bool:
    """Ends one run: at once (True), or on the node that holds it, within two seconds (False).

    Raises:
        RunOver: It has ended already.
    """
    unit.append(stream_of(row.id), RunStopRequested(run_id=run_id), actor=actor)
    if await queue.finish_unclaimed(unit, run_id, "stopped"):
        state = (await fold(unit.session, row)).run(run_id)
        await end_record(unit, row, state, actor=actor, status="stopped", reason="stop")
        return True
    if not await queue.ask_to_stop(unit, run_id):
        raise RunOver(run_id=run_id)
    return False


async def stop_session(
    unit: Unit, row: SessionRow, *, actor: str, with_queue: bool
) -> list[RunRow]:
    """Ends the current run, and with `with_queue` those behind it; returns the runs it ended."""
    runs = await queue.unfinished(unit.session, row.id)
    stopped = runs if with_queue else runs[:1]
    # From the last to the first, so that none of them is claimed when the one before it ends.
    for run in reversed(stopped):
        await stop_run(unit, row, run.id, actor=actor)
    return stopped
