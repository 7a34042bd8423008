"""Ends a run, or puts another one in its place."""

from __future__ import annotations

from fastapi import APIRouter

from homeport.identity.access import SignedIn
from homeport.kernel.db import idempotency
from homeport.kernel.db.idempotency import Attempt
from homeport.kernel.http.idempotency_key import IdempotencyKey
from homeport.sessions.access import opened, run_for
from homeport.sessions.router.provided import Hands, Log
from homeport.sessions.schemas import Accepted, RunStopped
from homeport.sessions.service.retry import retried_before, retry
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


@router.post("/{run_id}/retry", status_code=202)
async def retry_run(
    run_id: str, caller: SignedIn, log: Log, dispatcher: Hands, key: IdempotencyKey = None
) -> Accepted:
    """Takes the session's last run up again: anew when it was completed, else where it broke off.

    What tools have done stays done; `undo` puts files back.
    """
    attempt = Attempt.of(caller.user_id, key, f"POST /v1/runs/{run_id}/retry", None)
    async with log.database.read() as session:
        run, _ = await run_for(session, caller, run_id)
    async with opened(log, caller, run.session_id) as (unit, row):
        earlier = await idempotency.made_before(unit.session, attempt)
        run, _ = await run_for(unit.session, caller, earlier or run_id)
        if earlier is not None:
            return Accepted.of(await retried_before(unit.session, run))
        said = await retry(unit, row, run, actor=caller.actor)
        await idempotency.claim(unit.session, attempt, thing_id=said.run_id)
    dispatcher.wake()
    return Accepted.of(said)
