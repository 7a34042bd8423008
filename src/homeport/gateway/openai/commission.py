"""Gives the agent its task: finds or makes the session and says it, or finds the run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from homeport.dispatch import queue
from homeport.dispatch.dispatcher import Dispatcher
from homeport.dispatch.models import RunRow
from homeport.eventlog import Cursor, EventLog, read
from homeport.eventlog.cursor import BadCursor, CursorAhead
from homeport.gateway.openai.errors import BadMessages, OtherProject
from homeport.gateway.openai.ignored import ignored_by_agent
from homeport.gateway.openai.repository import find_question, run_at
from homeport.gateway.openai.schemas import ChatCompletionRequest
from homeport.gateway.openai.translate import Blocks, newest_user_blocks, system_text
from homeport.identity.access import Caller
from homeport.kernel.db import ReadSession, idempotency
from homeport.kernel.db.idempotency import Attempt
from homeport.kernel.ids import is_id, new_id
from homeport.projects.places import Places
from homeport.projects.policy import Limits
from homeport.providers.models import Models
from homeport.readers.stream.erased import cursor_erased, refuse_erased
from homeport.sessions.access import run_for, session_for, stream_of
from homeport.sessions.errors import SessionBusy, SessionNotFound
from homeport.sessions.models import SessionRow
from homeport.sessions.router.beginning import start_of
from homeport.sessions.schemas import NewSession
from homeport.sessions.service.say import say
from homeport.sessions.service.start import start

OPERATION = "POST /v1/chat/completions"
NAME_CHARACTERS = 60
LONGEST_SYSTEM_PROMPT = 100_000


@dataclass(frozen=True, slots=True)
class Commission:
    """A run to be followed.

    Attributes:
        created: When it was queued, in seconds since 1970.
        cursor: Where the client stands: what lies behind it has not been sent to it.
        status: `queued`, `running` or `waiting`, as far as the cursor does not tell better.
        approval_id: The question that it waits for.
        ended: The payload of `run.finished` when the client has been sent that already.
        ignored: Members of the request without an effect.
    """

    session_id: str
    project_id: str
    model: str
    run_id: str
    created: int
    cursor: Cursor
    status: str
    approval_id: str | None
    ended: dict[str, Any] | None
    ignored: list[str]


class _MadeMeanwhile(Exception):
    """Somebody else took the same request; raised to roll back what this one has made."""


class Commissions:
    """Makes commissions. Everything that takes files or other rooms happens before the unit."""

    def __init__(
        self,
        log: EventLog,
        *,
        dispatcher: Dispatcher,
        places: Places,
        models: Models,
        bounds: Limits,
    ) -> None:
        self._log = log
        self._dispatcher = dispatcher
        self._places = places
        self._models = models
        self._bounds = bounds

    async def give(
        self,
        asked: ChatCompletionRequest,
        *,
        caller: Caller,
        key: str | None,
        last_event_id: str | None,
    ) -> Commission:
        """The run that answers `asked`: a repeat's own, or a new one.

        Raises:
            SessionNotFound: The session is somebody else's, or no UUID.
            SessionBusy: A run is unfinished; `homeport` says which, and where it stands.
            OtherProject: The session is at work in another project than the request says.
            BadMessages: There is no user message.
            KeyReused: The key came with another request.
            BadCursor, CursorAhead, RunNotFound: The Last-Event-ID is none of this session's.
            CursorErased: What the run has said was erased.
        """
        if last_event_id:
            return await self._resumed(asked, caller, last_event_id)
        sent = asked.model_dump(mode="json", exclude_unset=True)
        attempt = Attempt.of(caller.user_id, key, OPERATION, sent)
        run_id = await self._made_before(attempt)
        while run_id is None:
            try:
                run_id = await self._make(asked, caller, attempt)
            except _MadeMeanwhile:
                run_id = await self._made_before(attempt)
        async with self._log.database.read() as session:
            run, row = await run_for(session, caller, run_id)
            return await _commission(session, asked, row, run, Cursor(run.queued_seq))

    async def _made_before(self, attempt: Attempt | None) -> str | None:
        if attempt is None:
            return None
        async with self._log.database.read() as session:
            return await idempotency.made_before(session, attempt)

    async def _make(
        self, asked: ChatCompletionRequest, caller: Caller, attempt: Attempt | None
    ) -> str:
        """The id of a new run."""
        async with self._log.database.read() as session:
            row = await existing_session(session, caller, asked)
        blocks = newest_user_blocks(asked.messages)
        beginning = None if row is not None else await self._beginning(asked, caller, blocks)
        session_id = asked.session_id.lower() if asked.session_id is not None else new_id()
        try:
            async with self._log.unit(stream_of(session_id)) as unit:
                if await idempotency.made_before(unit.session, attempt) is not None:
                    raise _MadeMeanwhile
                if beginning is not None and unit.head(stream_of(session_id)) == 0:
                    await start(unit, session_id=session_id, user_id=caller.user_id, **beginning)
                row = await session_for(unit.session, caller, session_id)
                said = await say(unit, row, actor=caller.actor, blocks=blocks, wait=False)
                taken = await idempotency.claim(unit.session, attempt, thing_id=said.run_id)
                if taken is not None:
                    raise _MadeMeanwhile
        except SessionBusy:
            raise await self._busy(session_id) from None
        self._dispatcher.wake()
        return said.run_id

    async def _resumed(
        self, asked: ChatCompletionRequest, caller: Caller, last_event_id: str
    ) -> Commission:
        """The run that the client was following, from where it stood."""
        session_id, _, text = last_event_id.partition("/")
        if not is_id(session_id):
            raise BadCursor("A Last-Event-ID is echoed as it was received; this one was not ours.")
        if asked.session_id is not None and asked.session_id.lower() != session_id:
            raise BadCursor("This Last-Event-ID is of another session.")
        cursor = Cursor.parse(text)
        async with self._log.database.read() as session:
            row = await session_for(session, caller, session_id)
            stream = stream_of(session_id)
            found = await read.standing(session, stream, cursor.seq)
            if found is None or cursor.seq > found.head:
                raise CursorAhead(f"The log ends at {0 if found is None else found.head}.")
            await refuse_erased(session, stream, cursor, found)
            run = await run_at(session, session_id, cursor.seq)
            return await _commission(session, asked, row, run, cursor)

    async def _beginning(
        self, asked: ChatCompletionRequest, caller: Caller, blocks: Blocks
    ) -> dict[str, Any]:
        said = " ".join(block["text"] for block in blocks if block["type"] == "text").split()
        system_prompt = asked.system_prompt or system_text(asked)
        if system_prompt is not None and len(system_prompt) > LONGEST_SYSTEM_PROMPT:
            raise BadMessages(
                f"A session's system prompt takes {LONGEST_SYSTEM_PROMPT:,} characters.",
                param="messages",
            )
        body = NewSession.model_validate(
            {
                "project_id": asked.project_id,
                "name": " ".join(said)[:NAME_CHARACTERS].strip() or None,
                "model": asked.model,
                "system_prompt": system_prompt,
            }
        )
        return await start_of(
            body,
            caller=caller,
            log=self._log,
            places=self._places,
            models=self._models,
            bounds=self._bounds,
        )

    async def _busy(self, session_id: str) -> SessionBusy:
        async with self._log.database.read() as session:
            runs = await queue.unfinished(session, session_id)
            if not runs:
                return SessionBusy(retry_after=1)  # it ended between the two looks
            question = await find_question(session, runs[0].id)
            head = await read.head_of(session, stream_of(session_id))
        run = runs[0]
        return SessionBusy(
            "Another run is unfinished here: follow it, stop it, or wait.",
            run_id=run.id,
            homeport=run_members(run.id, run.status, question, cursor=f"{session_id}/{head}"),
        )


def run_members(
    run_id: str, status: str, approval_id: str | None, *, cursor: str
) -> dict[str, str]:
    """What every answer about an unfinished run tells: where it stands and how to follow it."""
    about = {"run_id": run_id, "status": status, "cursor": cursor}
    return about if approval_id is None else about | {"approval_id": approval_id}


async def _commission(
    session: ReadSession,
    asked: ChatCompletionRequest,
    row: SessionRow,
    run: RunRow,
    cursor: Cursor,
) -> Commission:
    stream, ended = stream_of(row.id), None
    over = await read.record_at(session, stream, run.finished_seq) if run.finished_seq else None
    if over is not None and over.erased:
        raise await cursor_erased(session, stream)
    if over is not None and over.seq <= cursor.seq:
        if cursor.block >= 0:
            raise BadCursor("No message is open at this cursor.")
        ended = orjson.loads(over.payload)
    return Commission(
        session_id=row.id,
        project_id=row.project_id,
        model=row.model,
        run_id=run.id,
        created=int(run.created_at.timestamp()),
        cursor=cursor,
        status="running" if run.status == "finished" else run.status,
        approval_id=await find_question(session, run.id) if run.status == "waiting" else None,
        ended=ended,
        ignored=ignored_by_agent(asked, row),
    )


async def existing_session(
    session: ReadSession, caller: Caller, asked: ChatCompletionRequest
) -> SessionRow | None:
    """The session that is asked for; None when the id is not taken.

    Raises:
        SessionNotFound: It is somebody else's, deleted, or no UUID.
        OtherProject: It is at work in another project than the request says.
    """
    if asked.session_id is None:
        return None
    session_id = asked.session_id.lower()
    if not is_id(session_id):
        raise SessionNotFound("A session_id is a UUID.", param="session_id")
    if await session.get(SessionRow, session_id) is None:
        return None
    row = await session_for(session, caller, session_id)
    if asked.project_id is not None and asked.project_id.lower() != row.project_id:
        raise OtherProject(f"The session works in project {row.project_id}.", param="project_id")
    return row
