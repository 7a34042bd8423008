"""Ends a run."""

from __future__ import annotations

from fastapi import APIRouter

from homeport.identity.access import SignedIn
from homeport.sessions.access import opened, run_for
from homeport.sessions.router.provided import Hands, Log
from homeport.sessions.schemas import RunStopped
from homeport.sessions.service.stop import stop_run, unfinished_state

router = APIRouter(prefix="/v1/runs", tags=["runs"])


@router.post("/{run_id}/stop")
async def stop_one_run(run_id: str, caller: SignedIn, log: Log, dispatcher: Hands) -> RunStopped:
    """Ends a run: one that nobody holds at once, a running one within two seconds."""
    async with log.database.read() as session:
        run, row = await run_for(session, caller, run_id)
        state = await unfinished_state(session, row)
    async with opened(log, caller, run.session_id) as (unit, row):
        at_once = await stop_run(unit, row, run_id, actor=caller.actor, state=state)
    dispatcher.stop(run_id)
    dispatcher.wake()
    return RunStopped(
        run_id=run_id, session_id=run.session_id, status="stopped" if at_once else "stopping"
    )
