"""Conversations: start, list, look at, change, stop, clear, archive, delete."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request

from homeport.eventlog import EventLog
from homeport.identity.access import Caller, SignedIn
from homeport.kernel import clock
from homeport.kernel.db import idempotency
from homeport.kernel.db.idempotency import Attempt
from homeport.kernel.http.choice import chosen
from homeport.kernel.http.idempotency_key import IdempotencyKey
from homeport.kernel.http.pagination import Paging
from homeport.kernel.ids import new_id
from homeport.sessions.access import opened, session_for, stream_of
from homeport.sessions.policy import SessionPolicy
from homeport.sessions.repository import Choice, page_of_sessions, seen, sums
from homeport.sessions.router.beginning import start_of
from homeport.sessions.router.changes import apply_changes, checked
from homeport.sessions.router.provided import (
    Bounds,
    Deleting,
    Erasing,
    Hands,
    Log,
    Offered,
    Policy,
    Signed,
    Where,
)
from homeport.sessions.schemas import (
    Acknowledged,
    Archived,
    ClearBody,
    NewSession,
    SessionChange,
    SessionPage,
    SessionSums,
    SessionView,
    StopBody,
    Stopped,
)
from homeport.sessions.service.start import archive, clear, start
from homeport.sessions.service.stop import stop_session, unfinished_state
from homeport.tools.policy import LOOSER

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

STATUSES = ("active", "idle", "streaming", "archived", "error")
CREATE = "POST /v1/sessions"


@router.post("", status_code=201)
async def create_session(
    *,
    body: NewSession,
    caller: SignedIn,
    log: Log,
    places: Where,
    models: Offered,
    bounds: Bounds,
    policy: Policy,
    request: Request,
    signatures: Signed,
    key: IdempotencyKey = None,
) -> SessionView:
    """Starts a conversation in a project."""
    if signatures is not None and body.permission_mode in LOOSER:
        await signatures.require_of_critical(request, caller)
    sent = body.model_dump(mode="json", exclude_unset=True)
    attempt = Attempt.of(caller.user_id, key, CREATE, sent)
    async with log.database.read() as session:
        session_id = await idempotency.made_before(session, attempt)
    if session_id is None:
        beginning = await start_of(
            body, caller=caller, log=log, places=places, models=models, bounds=bounds
        )
        session_id = new_id()
        async with log.unit(stream_of(session_id)) as unit:
            earlier = await idempotency.claim(unit.session, attempt, thing_id=session_id)
            if earlier is None:
                await start(unit, session_id=session_id, user_id=caller.user_id, **beginning)
        session_id = earlier or session_id
    return await view_of(log, caller, session_id, policy)


@router.get("")
async def read_sessions(
    *,
    caller: SignedIn,
    log: Log,
    policy: Policy,
    paging: Paging,
    project_id: Annotated[str | None, Query(max_length=36)] = None,
    status: Annotated[str | None, Query(json_schema_extra={"enum": list(STATUSES)})] = None,
    search: Annotated[str | None, Query(max_length=255, description="Part of the name")] = None,
    shape: Annotated[Literal["array"] | None, Query(include_in_schema=False)] = None,
) -> SessionPage | list[SessionView]:
    """The caller's conversations, the newest first."""
    choice = Choice(
        caller.user_id,
        active_since=clock.utc_now() - policy.idle_after,
        project_id=project_id,
        status=chosen(status, STATUSES, param="status"),
        search=search,
    )
    async with log.database.read() as session:
        page = await page_of_sessions(session, choice, paging)
    views = [SessionView.of(each) for each in page.items]
    return views if shape == "array" else SessionPage(sessions=views, **page.fields())


@router.get("/stats")
async def read_sums(caller: SignedIn, log: Log, policy: Policy) -> SessionSums:
    """The caller's conversations, added up."""
    since = clock.utc_now() - policy.idle_after
    async with log.database.read() as session:
        return SessionSums.of(await sums(session, caller.user_id, active_since=since))


@router.get("/{session_id}")
async def read_session(session_id: str, caller: SignedIn, log: Log, policy: Policy) -> SessionView:
    """One conversation."""
    return await view_of(log, caller, session_id, policy)


# PUT is what old clients send for the same partial change; the contract lists one of the two.
@router.put("/{session_id}", include_in_schema=False)
@router.patch("/{session_id}")
async def change_session(
    *,
    session_id: str,
    body: SessionChange,
    caller: SignedIn,
    log: Log,
    models: Offered,
    bounds: Bounds,
    policy: Policy,
    request: Request,
    signatures: Signed,
) -> SessionView:
    """Changes what is given: name, model, mode, metadata, put away or taken back."""
    if signatures is not None and body.permission_mode in LOOSER:
        await signatures.require_of_critical(request, caller)
    checked(body, models=models, bounds=bounds)
    async with opened(log, caller, session_id) as (unit, row):
        await apply_changes(unit, row, body, actor=caller.actor)
    return await view_of(log, caller, session_id, policy)


@router.delete("/{session_id}", status_code=204)
async def remove_session(session_id: str, caller: SignedIn, deletion: Deleting) -> None:
    """Deletes a conversation and erases what was said in it; what runs in it is stopped first."""
    await deletion.delete(session_id, user_id=caller.user_id, actor=caller.actor)


@router.post("/{session_id}/stop")
async def stop_runs(
    session_id: str,
    caller: SignedIn,
    log: Log,
    dispatcher: Hands,
    body: StopBody | None = None,
) -> Stopped:
    """Ends the current run; those that wait behind it go on, unless `queue` says otherwise."""
    with_queue = body is not None and body.queue
    async with log.database.read() as session:
        state = await unfinished_state(session, await session_for(session, caller, session_id))
    async with opened(log, caller, session_id) as (unit, row):
        runs = await stop_session(unit, row, actor=caller.actor, with_queue=with_queue, state=state)
    for run in runs:
        dispatcher.stop(run.id)
    dispatcher.wake()
    return Stopped(
        message="The run was stopped." if runs else "Nothing was running.",
        session_id=session_id,
        status="stopped" if runs else "idle",
        run_ids=[run.id for run in runs],
    )


@router.post("/{session_id}/clear")
async def clear_session(
    session_id: str, caller: SignedIn, log: Log, eraser: Erasing, body: ClearBody | None = None
) -> Acknowledged:
    """Makes the agent forget what was said so far; with `erase`, everybody."""
    async with opened(log, caller, session_id) as (unit, row):
        await clear(unit, row, actor=caller.actor)
        if body is not None and body.erase:
            stream = stream_of(row.id)
            await eraser.erase(unit, stream, reason="session-cleared", actor=caller.actor)
    return Acknowledged(message="The session was cleared.", session_id=session_id)


@router.post("/{session_id}/archive")
async def archive_session(session_id: str, caller: SignedIn, log: Log) -> Archived:
    """Puts a conversation away."""
    async with opened(log, caller, session_id) as (unit, row):
        await archive(unit, row, actor=caller.actor)
    return Archived(message="The session was archived.", session_id=session_id)


async def view_of(
    log: EventLog, caller: Caller, session_id: str, policy: SessionPolicy
) -> SessionView:
    """What travels of one conversation of the caller's."""
    since = clock.utc_now() - policy.idle_after
    async with log.database.read() as session:
        row = await session_for(session, caller, session_id)
        return SessionView.of(await seen(session, row.id, active_since=since))
