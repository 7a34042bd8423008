"""Gives the agent its task: finds or makes the session and says it, or finds the run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from homeport.dispatch import queue
from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import Cursor, EventLog, lookup, read
from homeport.eventlog.catalogue.run import RunFinished, RunQueued
from homeport.eventlog.cursor import BadCursor
from homeport.gateway.openai.schemas import ChatCompletionRequest
from homeport.gateway.openai.translate import newest_user_blocks
from homeport.identity.access import Caller
from homeport.kernel.db import ReadSession, idempotency
from homeport.kernel.db.idempotency import Attempt
from homeport.kernel.ids import is_id, new_id
from homeport.projects.places import Places
from homeport.projects.policy import Limits
from homeport.providers.models import Models
from homeport.sessions.access import session_for, stream_of
from homeport.sessions.errors import RunNotFound, SessionBusy, SessionNotFound
from homeport.sessions.models import ApprovalRow, SessionRow
from homeport.sessions.router.beginning import start_of
from homeport.sessions.schemas import NewSession
from homeport.sessions.service.say import Said, said_again, say
from homeport.sessions.service.start import start

OPERATION = "POST /v1/chat/completions"
NAME_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Commission:
    """A run to be followed.

    Attributes:
        cursor: Where the client stands: what lies behind it is the answer.
        fresh: Nothing of the answer has been sent yet.
    """

    session_id: str
    project_id: str
    model: str
    run_id: str
    cursor: str
    fresh: bool


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
            SessionBusy: A run is unfinished; its members say which, and where it stands.
            BadMessages: There is no user message.
        """
        if last_event_id is not None:
            return await self._found_again(asked, caller, last_event_id)
        sent = asked.model_dump(mode="json", exclude_unset=True)
        attempt = Attempt.of(caller.user_id, key, OPERATION, sent)
        async with self._log.database.read() as session:
            earlier = await idempotency.made_before(session, attempt)
            row = await _existing(session, caller, asked.session_id)
        blocks = newest_user_blocks(asked.messages)
        session_id = _session_id(asked, earlier)
        beginning: dict[str, Any] | None = None
        if row is None and earlier is None:
            beginning = await self._beginning(asked, caller, blocks)
        try:
            async with self._log.unit(stream_of(session_id)) as unit:
                if earlier is None and beginning is not None:
                    await start(unit, session_id=session_id, user_id=caller.user_id, **beginning)
                row = await session_for(unit.session, caller, session_id)
                earlier = earlier or await idempotency.made_before(unit.session, attempt)
                if earlier is not None:
                    said = await said_again(unit, row, earlier.partition("/")[2])
                else:
                    said = await say(unit, row, actor=caller.actor, blocks=blocks, wait=False)
                    thing = f"{session_id}/{said.message_id}"
                    await idempotency.claim(unit.session, attempt, thing_id=thing)
        except SessionBusy:
            raise await self._busy(session_id) from None
        self._dispatcher.wake()
        return _commission(row, said)

    async def _found_again(
        self, asked: ChatCompletionRequest, caller: Caller, last_event_id: str
    ) -> Commission:
        session_id, _, text = last_event_id.partition("/")
        if asked.session_id is not None and asked.session_id.lower() != session_id:
            raise BadCursor("This Last-Event-ID is of another session.")
        cursor = Cursor.parse(text)
        async with self._log.database.read() as session:
            row = await session_for(session, caller, session_id)
            run_id = await _run_at(session, session_id, cursor.seq)
        return Commission(session_id, row.project_id, row.model, run_id, text, fresh=False)

    async def _beginning(
        self, asked: ChatCompletionRequest, caller: Caller, blocks: list[dict[str, Any]]
    ) -> dict[str, Any]:
        said = " ".join(block["text"] for block in blocks if block["type"] == "text").split()
        body = NewSession.model_validate(
            {
                "project_id": asked.project_id,
                "name": " ".join(said)[:NAME_CHARACTERS] or None,
                "model": asked.model,
                "system_prompt": asked.system_prompt or asked.system_text,
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
            question = await session.scalar(
                select(ApprovalRow.id).where(
                    ApprovalRow.run_id == runs[0].id, ApprovalRow.status == "requested"
                )
            )
            head = await read.head_of(session, stream_of(session_id))
        return SessionBusy(
            "Another run is unfinished here: follow it, stop it, or wait.",
            run_id=runs[0].id,
            status=runs[0].status,
            approval_id=question,
            cursor=str(head),
        )


async def _existing(
    session: ReadSession, caller: Caller, session_id: str | None
) -> SessionRow | None:
    """The caller's session; None when the id is not taken.

    Raises:
        SessionNotFound: It is somebody else's, deleted, or no UUID.
    """
    if session_id is None:
        return None
    if not is_id(session_id.lower()):
        raise SessionNotFound("A session_id is a UUID.", param="session_id")
    if await session.get(SessionRow, session_id.lower()) is None:
        return None
    return await session_for(session, caller, session_id.lower())


def _session_id(asked: ChatCompletionRequest, earlier: str | None) -> str:
    if asked.session_id is not None:
        return asked.session_id.lower()
    return earlier.partition("/")[0] if earlier is not None else new_id()


def _commission(row: SessionRow, said: Said) -> Commission:
    return Commission(row.id, row.project_id, row.model, said.run_id, said.cursor, fresh=True)


async def _run_at(session: ReadSession, session_id: str, seq: int) -> str:
    """The run that a chat client was following at `seq`: the oldest unfinished one, else the last.

    Raises:
        RunNotFound: There was none.
    """
    stream = stream_of(session_id)
    queued = await lookup.records_of_kind(session, stream, RunQueued.kind)
    ended = await lookup.records_of_kind(session, stream, RunFinished.kind)
    begun = [r.event() for r in queued if r.seq <= seq]
    over = [r.event() for r in ended if r.seq <= seq]
    ids = [event.run_id for event in begun if isinstance(event, RunQueued)]
    finished = [event.run_id for event in over if isinstance(event, RunFinished)]
    unfinished = [run_id for run_id in ids if run_id not in finished]
    if unfinished:
        return unfinished[0]
    if finished:
        return finished[-1]
    raise RunNotFound("No run had begun at this Last-Event-ID.")
