"""Starts, changes, clears, archives and deletes a conversation."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert

from homeport.dispatch import queue
from homeport.eventlog import Unit
from homeport.eventlog.catalogue.session import (
    SessionArchived,
    SessionCleared,
    SessionCreated,
    SessionDeleted,
    SessionUpdated,
)
from homeport.kernel import clock
from homeport.kernel.db import table_of
from homeport.sessions.access import stream_of
from homeport.sessions.errors import SessionBusy
from homeport.sessions.models import MessageRow, SessionRow

_new = insert(table_of(SessionRow))


async def start(
    unit: Unit,
    *,
    session_id: str,
    user_id: str,
    project_id: str,
    name: str,
    model: str,
    permission_mode: str,
    system_prompt: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Makes a conversation. The unit is open on its stream."""
    now = clock.utc_now()
    row = {
        "id": session_id,
        "user_id": user_id,
        "project_id": project_id,
        "name": name,
        "model": model,
        "system_prompt": system_prompt,
        "permission_mode": permission_mode,
        "metadata": metadata or {},
        "state": "open",
        "begins_after": 0,
        "ordinal": 0,
        "user_ordinal": 0,
        "assistant_ordinal": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cost_usd": 0.0,
        "created_at": now,
        "updated_at": now,
    }
    await unit.session.execute(_new, row)
    created = SessionCreated(
        session_id=session_id,
        user_id=user_id,
        project_id=project_id,
        name=name,
        model=model,
        system_prompt=system_prompt,
        permission_mode=permission_mode,
        metadata=metadata or {},
    )
    unit.append(stream_of(session_id), created, actor=f"user:{user_id}")


async def change(unit: Unit, row: SessionRow, *, actor: str, changes: dict[str, Any]) -> None:
    """Sets `name`, `model`, `system_prompt`, `permission_mode`, `metadata` or `state` (open)."""
    if not changes:
        return
    for name, value in changes.items():
        setattr(row, "metadata_" if name == "metadata" else name, value)
    row.updated_at = clock.utc_now()
    unit.append(stream_of(row.id), SessionUpdated(session_id=row.id, changes=changes), actor=actor)


async def archive(unit: Unit, row: SessionRow, *, actor: str) -> None:
    """Puts a conversation away.

    Raises:
        SessionBusy: A run is unfinished; stop it first.
    """
    await _refuse_at_work(unit, row)
    if row.state == "open":
        row.state, row.updated_at = "archived", clock.utc_now()
        unit.append(stream_of(row.id), SessionArchived(session_id=row.id), actor=actor)


async def clear(unit: Unit, row: SessionRow, *, actor: str) -> None:
    """Makes the agent forget what was said so far; the log keeps it.

    Raises:
        SessionBusy: A run is unfinished; stop it first.
    """
    await _refuse_at_work(unit, row)
    await unit.session.execute(delete(MessageRow).where(MessageRow.session_id == row.id))
    seq = unit.append(stream_of(row.id), SessionCleared(session_id=row.id), actor=actor)
    row.begins_after, row.updated_at = seq, clock.utc_now()
    row.ordinal = row.user_ordinal = row.assistant_ordinal = 0


async def remove(unit: Unit, row: SessionRow, *, actor: str) -> None:
    """Takes a conversation whose runs are over out of every list.

    Raises:
        SessionBusy: A run is unfinished; stop it first.
    """
    await _refuse_at_work(unit, row)
    row.state, row.updated_at = "deleted", clock.utc_now()
    unit.append(stream_of(row.id), SessionDeleted(session_id=row.id), actor=actor)


async def _refuse_at_work(unit: Unit, row: SessionRow) -> None:
    unfinished = await queue.unfinished(unit.session, row.id)
    if unfinished:
        raise SessionBusy("A run is unfinished; stop it first.", run_id=unfinished[0].id)
