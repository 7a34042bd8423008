"""Says something in a conversation: the message and the run that answers it, in one unit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import insert, select

from homeport.dispatch import queue
from homeport.eventlog import Unit
from homeport.eventlog.catalogue.message import MessageSubmitted
from homeport.kernel import clock, ids
from homeport.kernel.db import table_of
from homeport.projects.access import project_at_work
from homeport.sessions.access import stream_of
from homeport.sessions.errors import (
    EmptyMessage,
    MessageNotFound,
    MessageRepeated,
    SessionArchived,
    SessionBusy,
)
from homeport.sessions.models import MessageRow, SessionRow

_new = insert(table_of(MessageRow))


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a message.

    Attributes:
        cursor: The stream behind which the answer is read; the message itself lies behind it too.
        repeated: The same `client_message_id` had been taken before: nothing new was made.
    """

    message_id: str
    run_id: str
    cursor: str
    repeated: bool


async def say(
    unit: Unit,
    row: SessionRow,
    *,
    actor: str,
    blocks: list[dict[str, Any]],
    client_message_id: str | None = None,
    wait: bool = True,
) -> Said:
    """Takes a message in and queues the run that answers it.

    Args:
        blocks: Stored form: `{type: text, text}` or `{type: image, text: "", source}`.
        client_message_id: The client's own id, unique in the session: a repeat makes nothing new.
        wait: Queue behind an unfinished run instead of refusing.

    Raises:
        EmptyMessage: Nothing was said.
        SessionArchived: The session takes no messages.
        ProjectClosed, RoleRequired: Its project is not open to whose session it is any more.
        SessionBusy: A run is unfinished and `wait` is false.
        MessageRepeated: The `client_message_id` belongs to another content.
    """
    if not any(block["type"] != "text" or block["text"].strip() for block in blocks):
        raise EmptyMessage
    digest = hashlib.sha256(orjson.dumps(blocks, option=orjson.OPT_SORT_KEYS)).hexdigest()
    if client_message_id is not None:
        said = await _said_before(unit, row, client_message_id, digest)
        if said is not None:
            return said
    if row.state != "open":
        raise SessionArchived
    await project_at_work(unit.session, project_id=row.project_id, user_id=row.user_id)
    if not wait and (unfinished := await queue.unfinished(unit.session, row.id)):
        raise SessionBusy(run_id=unfinished[0].id)
    stream, cursor = stream_of(row.id), str(unit.head(stream_of(row.id)))
    message_id, run_id = ids.new_id(), ids.new_id()
    submitted = MessageSubmitted(
        message_id=message_id, run_id=run_id, blocks=blocks, client_message_id=client_message_id
    )
    seq = unit.append(stream, submitted, actor=actor)
    await queue.enqueue(
        unit,
        run_id=run_id,
        session_id=row.id,
        user_id=row.user_id,
        message_id=message_id,
        actor=actor,
    )
    now = clock.utc_now()
    message = {
        "id": message_id,
        "session_id": row.id,
        "run_id": run_id,
        "role": "user",
        "ordinal": row.ordinal,
        "role_ordinal": row.user_ordinal,
        "status": "completed",
        "seq": seq,
        "client_message_id": client_message_id,
        "client_digest": digest if client_message_id is not None else None,
        "tokens": 0,
        "created_at": now,
    }
    await unit.session.execute(_new, message)
    row.ordinal += 1
    row.user_ordinal += 1
    row.updated_at = now
    return Said(message_id, run_id, cursor, repeated=False)


async def said_again(unit: Unit, row: SessionRow, message_id: str) -> Said:
    """What became of a message that was taken before.

    Raises:
        MessageNotFound: The session was cleared since.
    """
    earlier = await unit.session.get(MessageRow, message_id)
    if earlier is None or earlier.session_id != row.id:
        raise MessageNotFound("The message was taken, and the session was cleared since.")
    return _repeated(earlier)


def _repeated(earlier: MessageRow) -> Said:
    return Said(earlier.id, earlier.run_id, str(earlier.seq - 1), repeated=True)


async def _said_before(
    unit: Unit, row: SessionRow, client_message_id: str, digest: str
) -> Said | None:
    earlier = await unit.session.scalar(
        select(MessageRow).where(
            MessageRow.session_id == row.id, MessageRow.client_message_id == client_message_id
        )
    )
    if earlier is None:
        return None
    if earlier.client_digest != digest:
        raise MessageRepeated(message_id=earlier.id)
    return _repeated(earlier)
