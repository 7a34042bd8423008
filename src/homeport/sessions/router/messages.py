"""Says something to the agent."""

from __future__ import annotations

from fastapi import APIRouter

from homeport.identity.access import SignedIn
from homeport.kernel.db import idempotency
from homeport.kernel.db.idempotency import Attempt
from homeport.kernel.http.idempotency_key import IdempotencyKey
from homeport.sessions.access import opened
from homeport.sessions.router.provided import Hands, Log
from homeport.sessions.schemas import Accepted, NewMessage
from homeport.sessions.service.say import Said, said_again, say

router = APIRouter(prefix="/v1/sessions/{session_id}/messages", tags=["sessions"])


@router.post("", status_code=202)
async def send_message(
    session_id: str,
    body: NewMessage,
    caller: SignedIn,
    log: Log,
    dispatcher: Hands,
    key: IdempotencyKey = None,
) -> Accepted:
    """Takes a message in; the agent answers it after what was said before."""
    operation = f"POST /v1/sessions/{session_id}/messages"
    sent = body.model_dump(mode="json", exclude_unset=True)
    attempt = Attempt.of(caller.user_id, key, operation, sent)
    async with opened(log, caller, session_id) as (unit, row):
        earlier = await idempotency.made_before(unit.session, attempt)
        if earlier is not None:
            return Accepted.of(await said_again(unit, row, earlier))
        said: Said = await say(
            unit,
            row,
            actor=caller.actor,
            blocks=body.blocks(),
            client_message_id=body.client_message_id,
            wait=body.queue,
        )
        # The session's stream is held: nobody else has taken the key for this route meanwhile.
        await idempotency.claim(unit.session, attempt, thing_id=said.message_id)
    if not said.repeated:
        dispatcher.wake()
    return Accepted.of(said)
