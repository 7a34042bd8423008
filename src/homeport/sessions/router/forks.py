"""Starts a conversation from within another one."""

from __future__ import annotations

from fastapi import APIRouter

from homeport.identity.access import SignedIn
from homeport.kernel.db import idempotency
from homeport.kernel.db.idempotency import Attempt
from homeport.kernel.http.idempotency_key import IdempotencyKey
from homeport.kernel.ids import new_id
from homeport.projects.access import project_for
from homeport.sessions.access import session_for, stream_of
from homeport.sessions.router.provided import Log, Policy
from homeport.sessions.router.sessions import view_of
from homeport.sessions.schemas import ForkBody, SessionView
from homeport.sessions.service.fork import fork, take_copy

router = APIRouter(prefix="/v1/sessions/{session_id}/fork", tags=["sessions"])


@router.post("", status_code=201)
async def fork_session(
    *,
    session_id: str,
    caller: SignedIn,
    log: Log,
    policy: Policy,
    body: ForkBody | None = None,
    key: IdempotencyKey = None,
) -> SessionView:
    """Starts a conversation that begins as this one was at a cursor; the two then go apart.

    Files are not copied: both work in the same project.
    """
    wanted = ForkBody(at=None, name=None) if body is None else body
    sent = wanted.model_dump(mode="json", exclude_none=True)
    attempt = Attempt.of(caller.user_id, key, f"POST /v1/sessions/{session_id}/fork", sent)
    async with log.database.read() as session:
        made = await idempotency.made_before(session, attempt)
        if made is not None:
            return await view_of(log, caller, made, policy)
        origin = await session_for(session, caller, session_id)
        await project_for(session, caller, origin.project_id, "write")
        copy = await take_copy(session, origin, wanted.at)
    new = new_id()
    async with log.unit(stream_of(new)) as unit:
        made = await idempotency.claim(unit.session, attempt, thing_id=new)
        if made is None:
            name = wanted.name or origin.name
            await fork(unit, origin, copy, session_id=new, name=name, actor=caller.actor)
    return await view_of(log, caller, made or new, policy)
