"""`/v1/chat/completions`: stateless without a session or project, the agent with one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from homeport.dispatch import queue
from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import EventLog
from homeport.gateway.openai.answer import Stream, Whole
from homeport.gateway.openai.commission import Commissions
from homeport.gateway.openai.conversation import answered, streamed
from homeport.gateway.openai.debug import understand
from homeport.gateway.openai.ignored import ignored_by_model, ignored_header
from homeport.gateway.openai.schemas import (
    ChatCompletionRequest,
    ChatStatus,
    ChatStopped,
    DebugRequest,
    Understanding,
)
from homeport.gateway.openai.settings import ChatSettings
from homeport.gateway.openai.stateless import Call
from homeport.gateway.openai.tools import answers_in_json
from homeport.gateway.openai.translate import model_request
from homeport.identity.access import Caller, SignedIn
from homeport.kernel.http.idempotency_key import IdempotencyKey
from homeport.kernel.http.provide import provided
from homeport.providers.models import Models
from homeport.readers.stream.pulse import Pulse
from homeport.sessions.access import opened, session_for
from homeport.sessions.service.stop import stop_session, unfinished_state

router = APIRouter(prefix="/v1/chat/completions", tags=["chat"])

Log = Annotated[EventLog, provided(EventLog)]
Offered = Annotated[Models, provided(Models)]
Tasks = Annotated[Commissions, provided(Commissions)]
Hands = Annotated[Dispatcher, provided(Dispatcher)]
Beat = Annotated[Pulse, provided(Pulse)]
Chat = Annotated[ChatSettings, provided(ChatSettings)]

_TOLD = """A `chat.completion`, or with `stream` its chunks: `data: ` and JSON, ended by `[DONE]`,
also after an error, which is a frame `{"error": {...}}`.

With `session_id` or `project_id` the agent answers: the newest user message is said in the session,
whose history the server has. Both forms then carry `session_id`; the document has
`homeport {run_id, status, cursor, approval_id?}` and comes after CHAT_ANSWER_WITHIN seconds at the
latest, with the text so far, or as soon as people are asked. Beside the chunks of a stream stand
frames without `object`, whose `choices` add nothing, so that plain clients pass over them:

* `{type: tool_use, id, name, input}`
* `{type: tool_result, tool_id, name, is_error, content, duration_ms, exit_code}`
* `{type: approval_request, id, tool, input, summary}`
* `{type: usage, input_tokens, output_tokens, total_cost}`
* `{type: heartbeat}`, when nothing was sent for 15 seconds

Each frame has `id: <session_id>/<cursor>`, but for the last ones, which close the answer. The same
POST with the last id as `Last-Event-ID` goes on with the same run behind that frame; with the same
`Idempotency-Key` it is sent the same run from its beginning. Neither says the message again. While
another run is unfinished the answer is 409 `session.busy` with the same member `homeport`. Where an
attempt of the model broke off and was taken again, a blank line parts what was shown of it from the
next one.
"""
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": _TOLD,
        "headers": {
            "X-Homeport-Ignored": {
                "description": "Members of the request that had no effect",
                "schema": {"type": "string"},
            }
        },
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/event-stream": {"schema": {"type": "string"}},
        },
    }
}


@router.post("", response_class=Response, responses=_ANSWER)
async def complete(
    *,
    asked: ChatCompletionRequest,
    request: Request,
    caller: SignedIn,
    log: Log,
    models: Offered,
    tasks: Tasks,
    pulse: Beat,
    settings: Chat,
    key: IdempotencyKey = None,
    last_event_id: Annotated[
        str | None,
        Header(description="`<session_id>/<cursor>`: go on with the same run from there."),
    ] = None,
) -> Response:
    """Complete a chat. With `session_id` or `project_id` the agent does, in that session."""
    if not asked.for_agent and not last_event_id:
        return _by_model(asked, caller, log, models, settings)
    commission = await tasks.give(asked, caller=caller, key=key, last_event_id=last_event_id)
    headers = ignored_header(commission.ignored)
    if asked.stream:
        return streamed(
            log,
            pulse,
            caller=caller,
            commission=commission,
            include_usage=asked.include_usage,
            headers=headers,
            scope=request.scope,
        )
    return await answered(
        log,
        pulse,
        caller=caller,
        commission=commission,
        within_s=settings.answer_within_s,
        headers=headers,
        scope=request.scope,
    )


@router.post("/debug")
async def debug(
    asked: DebugRequest, caller: SignedIn, log: Log, models: Offered, settings: Chat
) -> Understanding:
    """Tell how a completion would be understood. No model is asked and nothing is kept."""
    return await understand(asked, caller=caller, log=log, models=models, settings=settings)


@router.get("/{session_id}/status")
async def read_status(session_id: str, caller: SignedIn, log: Log) -> ChatStatus:
    """Whether the agent is at work in a session, and what it has used."""
    async with log.database.read() as session:
        row = await session_for(session, caller, session_id.lower())
        runs = await queue.unfinished(session, row.id)
    return ChatStatus.of(row, is_running=any(run.status == "running" for run in runs))


@router.delete("/{session_id}")
async def stop_chat(session_id: str, caller: SignedIn, log: Log, dispatcher: Hands) -> ChatStopped:
    """Stop what the agent is doing in a session; stopping what has ended is no error."""
    session_id = session_id.lower()
    async with log.database.read() as session:
        state = await unfinished_state(session, await session_for(session, caller, session_id))
    async with opened(log, caller, session_id) as (unit, row):
        stopped = await stop_session(unit, row, actor=caller.actor, with_queue=False, state=state)
    for run in stopped:
        dispatcher.stop(run.id)
    dispatcher.wake()
    return ChatStopped(session_id=session_id, stopped=[run.id for run in stopped])


def _by_model(
    asked: ChatCompletionRequest,
    caller: Caller,
    log: EventLog,
    models: Models,
    settings: ChatSettings,
) -> Response:
    provider, model = models.get(asked.model or models.default)
    request = model_request(asked, model, max_tokens=settings.max_tokens, user_id=caller.user_id)
    in_json = answers_in_json(asked)
    call = Call(log, provider, model, request, user_id=caller.user_id, in_json=in_json)
    headers = ignored_header(ignored_by_model(asked, model))
    if asked.stream:
        return Stream(call, headers, include_usage=asked.include_usage)
    return Whole(call, headers)
